// A 64-bit word of two halves. At 16 lanes llvmpipe (Mesa 26.1) writes a pack of halves over its own stack, and makes one
// of a shift by a constant 32: the host sets SHIFTED_HALVES there, for a shift that the compiler cannot know. Such
// kernels have one workgroup along z.
#ifndef VKGPT_WORDS64_GLSL
#define VKGPT_WORDS64_GLSL
#extension GL_EXT_shader_explicit_arithmetic_types_int64 : require
#ifdef SHIFTED_HALVES
uint64_t pack_halves(uvec2 halves) {
  return uint64_t(halves.x) | uint64_t(halves.y) << (32 * gl_NumWorkGroups.z);
}
#else
uint64_t pack_halves(uvec2 halves) { return packUint2x32(halves); }
#endif
#endif
