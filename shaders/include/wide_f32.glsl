// f32 tensors read and written WIDTH neighbours at a time, at a multiple of WIDTH (ops/launch.hpp: `f32_width`): a
// buffer of them is an array of WIDE_WORD, read with unpack_wide(a[i]) and written with a[i] = pack_wide(x), x a
// `wide`, which is a vector or a scalar (`wide_uint` holds its bits).
#if WIDTH == 4
#define WIDE_WORD vec4
#define wide vec4
#define wide_uint uvec4
wide unpack_wide(WIDE_WORD word) { return word; }
WIDE_WORD pack_wide(wide x) { return x; }
#elif WIDTH == 2
#include "words64.glsl"
#define WIDE_WORD uint64_t
#define wide vec2
#define wide_uint uvec2
wide unpack_wide(WIDE_WORD word) { return uintBitsToFloat(unpackUint2x32(word)); }
WIDE_WORD pack_wide(wide x) { return pack_halves(floatBitsToUint(x)); }
#else
#define WIDE_WORD float
#define wide float
#define wide_uint uint
wide unpack_wide(WIDE_WORD word) { return word; }
WIDE_WORD pack_wide(wide x) { return x; }
#endif

uint largest_of(uint x) { return x; }
uint largest_of(uvec2 x) { return max(x.x, x.y); }
uint largest_of(uvec4 x) { return max(largest_of(x.xy), largest_of(x.zw)); }
