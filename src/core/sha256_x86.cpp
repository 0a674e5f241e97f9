#include "core/sha256_blocks.hpp"

#if defined(__x86_64__)

#include <immintrin.h>

namespace vkgpt {
namespace {

__m128i load(const void* p) {
  return _mm_loadu_si128(static_cast<const __m128i*>(p));
}

/// Four rounds an iteration, on the halves (a b e f) and (c d g h) that the instructions work with. Intel,
/// "New Instructions Supporting the Secure Hash Algorithm on Intel Architecture Processors", 2013.
__attribute__((target("sha,sse4.1,ssse3"))) void blocks(std::uint32_t* state, const std::byte* data,
                                                        std::size_t count) {
  const __m128i big_endian = _mm_set_epi64x(0x0c0d0e0f08090a0b, 0x0405060700010203);
  const __m128i cdab = _mm_shuffle_epi32(load(state), 0xb1);
  const __m128i hgfe = _mm_shuffle_epi32(load(state + 4), 0x1b);
  __m128i abef = _mm_alignr_epi8(cdab, hgfe, 8);
  __m128i cdgh = _mm_blend_epi16(hgfe, cdab, 0xf0);
  for (; count > 0; --count, data += 64) {
    const __m128i abef_before = abef;
    const __m128i cdgh_before = cdgh;
    __m128i w[16];
    for (std::ptrdiff_t i = 0; i < 16; ++i) {
      if (i < 4) {
        w[i] = _mm_shuffle_epi8(load(data + 16 * i), big_endian);
      } else {
        const __m128i first = _mm_sha256msg1_epu32(w[i - 4], w[i - 3]);
        w[i] = _mm_sha256msg2_epu32(_mm_add_epi32(first, _mm_alignr_epi8(w[i - 1], w[i - 2], 4)), w[i - 1]);
      }
      const __m128i sum = _mm_add_epi32(w[i], load(kSha256Round.data() + 4 * i));
      cdgh = _mm_sha256rnds2_epu32(cdgh, abef, sum);
      abef = _mm_sha256rnds2_epu32(abef, cdgh, _mm_shuffle_epi32(sum, 0x0e));
    }
    abef = _mm_add_epi32(abef, abef_before);
    cdgh = _mm_add_epi32(cdgh, cdgh_before);
  }
  const __m128i feba = _mm_shuffle_epi32(abef, 0x1b);
  const __m128i dchg = _mm_shuffle_epi32(cdgh, 0xb1);
  _mm_storeu_si128(reinterpret_cast<__m128i*>(state), _mm_blend_epi16(feba, dchg, 0xf0));
  _mm_storeu_si128(reinterpret_cast<__m128i*>(state + 4), _mm_alignr_epi8(dchg, feba, 8));
}

}  // namespace

Sha256Blocks sha256_blocks_x86() {
  constexpr unsigned kSha = 1U << 29U;  // CPUID leaf 7, EBX
  unsigned eax = 7;
  unsigned ebx = 0;
  unsigned ecx = 0;
  unsigned edx = 0;
  asm("cpuid" : "+a"(eax), "=b"(ebx), "+c"(ecx), "=d"(edx));
  return __builtin_cpu_supports("sse4.1") != 0 && (ebx & kSha) != 0 ? blocks : nullptr;
}

}  // namespace vkgpt

#else

namespace vkgpt {

Sha256Blocks sha256_blocks_x86() {
  return nullptr;
}

}  // namespace vkgpt

#endif
