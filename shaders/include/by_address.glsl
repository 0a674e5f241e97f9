// Buffers that are read by address (plan::Dispatch::addresses): `FloatAt(address).at[i]`. llvmpipe checks no bounds of
// such loads, and one whose address is the same in all lanes is a scalar load (shaders/docs/compilers.md).
#extension GL_EXT_buffer_reference : require
#extension GL_EXT_shader_explicit_arithmetic_types_int64 : require
layout(buffer_reference, std430, buffer_reference_align = 4) readonly buffer FloatAt { float at[]; };
layout(buffer_reference, std430, buffer_reference_align = 8) readonly buffer WordAt { uint64_t at[]; };

// llvmpipe executes what follows a `return` and a loop's last pass once more with no lane active, and a scalar load does
// not ask whether one is: an index that such a pass would take beyond its tensor needs a bound of its own.
#define WITHIN(i, count) min(i, (count) - 1)

// at(0), at(1), ..., at(LANES - 1), one a lane, where LANES, the subgroup size, is 4, 8 or 16. Every lane loads all of
// them, a scalar load each, and takes its own by its number, a constant in llvmpipe: LLVM joins what is neighbours in
// memory to one load of a vector, and inserts the rest into it. A load by lanes is a gather there, which LLVM makes of a
// test, a branch and a load for each lane on most processors without AVX-512.
#define LANE_(rest, at, i) mix(rest, at(i), gl_SubgroupInvocationID == (i))
#define LANES_4_(rest, at, i) LANE_(LANE_(LANE_(LANE_(rest, at, i), at, (i) + 1), at, (i) + 2), at, (i) + 3)
#if LANES == 4
#define ONE_A_LANE(at) LANES_4_(0.0, at, 0)
#elif LANES == 8
#define ONE_A_LANE(at) LANES_4_(LANES_4_(0.0, at, 0), at, 4)
#elif LANES == 16
#define ONE_A_LANE(at) LANES_4_(LANES_4_(LANES_4_(LANES_4_(0.0, at, 0), at, 4), at, 8), at, 12)
#endif
