// Rows of DTYPE (element.glsl) in words of WORD_BYTES: 16 for GPUs; 8 for CPU drivers, whose gathers bring 64 bits at
// little more than the price of 32; 0, single elements, where rows are not made of whole words. A buffer of them is an
// array of STORED_WORD, in registers a word is a ROW_WORD: loaded(a[i]), a[i] = stored(word). A word has PARTS of VALUES, a vector or a scalar whose columns are COLUMNS.
#extension GL_EXT_control_flow_attributes : require

#if WORD_BYTES == 16
#include "row_words.glsl"
#define STORED_WORD ROW_WORD
#define loaded(word) (word)
#define stored(word) (word)
#define COMPONENTS 4
#else
#define UNROLL [[unroll]]
#define PARTS 1
#include "packed.glsl"
#if WORD_BYTES == 0
#define STORED_WORD ELEMENT
#define ROW_WORD float
#define loaded(element) from_element(element)
#define stored(x) to_element(x)
#define COMPONENTS 1
float part_of(float word, uint part) { return word; }
float with_part(float word, uint part, float x) { return x; }
#else
#include "words64.glsl"
#define STORED_WORD uint64_t
#define ROW_WORD uint64_t
#define loaded(word) (word)
#define stored(word) (word)
#if DTYPE == 0
#define COMPONENTS 2
vec2 part_of(uint64_t word, uint part) { return uintBitsToFloat(unpackUint2x32(word)); }
uint64_t with_part(uint64_t word, uint part, vec2 x) { return pack_halves(floatBitsToUint(x)); }
#else
#define COMPONENTS 4
vec4 part_of(uint64_t word, uint part) { return unpack4(unpackUint2x32(word)); }
uint64_t with_part(uint64_t word, uint part, vec4 x) { return pack_halves(pack4(x)); }
#endif
#endif
const uint kWordElements = COMPONENTS;
#endif

#if COMPONENTS == 4
#define VALUES vec4
#define COLUMNS uvec4
#define EACH(f, v) vec4(f((v).x), f((v).y), f((v).z), f((v).w))
#define FIRST_COLUMNS uvec4(0, 1, 2, 3)
#define are_below(columns, end) lessThan(columns, uvec4(end))
#define are_equal(columns, one) equal(columns, uvec4(one))
#define sum_of_values(v) (((v).x + (v).y) + ((v).z + (v).w))
#define largest_of_values(v) max(max((v).x, (v).y), max((v).z, (v).w))
#elif COMPONENTS == 2
#define VALUES vec2
#define COLUMNS uvec2
#define EACH(f, v) vec2(f((v).x), f((v).y))
#define FIRST_COLUMNS uvec2(0, 1)
#define are_below(columns, end) lessThan(columns, uvec2(end))
#define are_equal(columns, one) equal(columns, uvec2(one))
#define sum_of_values(v) ((v).x + (v).y)
#define largest_of_values(v) max((v).x, (v).y)
#else
#define VALUES float
#define COLUMNS uint
#define EACH(f, v) f(v)
#define FIRST_COLUMNS 0u
#define are_below(columns, end) ((columns) < (end))
#define are_equal(columns, one) ((columns) == (one))
#define sum_of_values(v) (v)
#define largest_of_values(v) (v)
#endif

COLUMNS columns_of(uint word, uint part) { return word * kWordElements + COMPONENTS * part + FIRST_COLUMNS; }
