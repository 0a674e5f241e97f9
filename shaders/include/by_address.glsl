// Buffers that are read by address (plan::Dispatch::addresses): `FloatAt(address).at[i]`. llvmpipe checks no bounds of
// such loads, and one whose address is the same in all lanes is a scalar load (shaders/docs/compilers.md).
#extension GL_EXT_buffer_reference : require
#extension GL_EXT_shader_explicit_arithmetic_types_int64 : require
layout(buffer_reference, std430, buffer_reference_align = 4) readonly buffer FloatAt { float at[]; };
layout(buffer_reference, std430, buffer_reference_align = 8) readonly buffer WordAt { uint64_t at[]; };
