#ifndef VKGPT_PHILOX_GLSL
#define VKGPT_PHILOX_GLSL

// Philox4x32-10, bit for bit as core/rng.hpp: unsigned arithmetic only, so every driver gives the same words.
uvec4 philox4x32(uvec4 counter, uvec2 key) {
  for (int round = 0; round < 10; ++round) {
    uint high0, low0, high1, low1;
    umulExtended(0xD2511F53u, counter.x, high0, low0);
    umulExtended(0xCD9E8D57u, counter.z, high1, low1);
    counter = uvec4(high1 ^ counter.y ^ key.x, low1, high0 ^ counter.w ^ key.y, low0);
    key += uvec2(0x9E3779B9u, 0xBB67AE85u);
  }
  return counter;
}

// Words 4 * block to 4 * block + 3 of a stream, as RngStream::block. seed = (low word, high word); sub < 2^24.
uvec4 rng_block(uvec2 seed, uint purpose, uint sub, uint step_index, uint index, uint block) {
  return philox4x32(uvec4(block, index, step_index, purpose | (sub << 8)), seed);
}

// Uniform in [0, 1): the upper 24 bits, exact in fp32.
float uniform_float(uint word) { return float(word >> 8) * (1.0 / 16777216.0); }

#endif
