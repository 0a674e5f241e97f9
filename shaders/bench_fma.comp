#version 460
#extension GL_GOOGLE_include_directive : require
#include "grid.glsl"

// Multiply-adds in registers, in kChains independent chains: the reference peak of 'vkgpt bench'. With HALF on
// pairs of f16.
#ifdef HALF
#extension GL_EXT_shader_explicit_arithmetic_types_float16 : require
#define VALUE f16vec2
#define SCALAR float16_t
#else
#define VALUE float
#define SCALAR float
#endif
layout(local_size_x_id = 0) in;
layout(push_constant) uniform Push {
  uint iterations;
  float scale;  // below 1, so that values stay finite
  float shift;
};
layout(set = 0, binding = 0, std430) writeonly buffer Y { float y[]; };  // (1)

const uint kChains = 12;
const uint kSteps = 4;  // of each chain in an iteration

void main() {
  const VALUE a = VALUE(SCALAR(scale)), b = VALUE(SCALAR(shift));
  VALUE x[kChains];
  for (uint c = 0; c < kChains; ++c) x[c] = VALUE(SCALAR(c + gl_LocalInvocationID.x));
  for (uint i = 0; i < iterations; ++i) {
    for (uint s = 0; s < kSteps; ++s) {
      for (uint c = 0; c < kChains; ++c) x[c] = fma(x[c], a, b);
    }
  }
  VALUE sum = VALUE(SCALAR(0.0));
  for (uint c = 0; c < kChains; ++c) sum += x[c];
  // Never true, but no compiler can prove it: the chains stay alive.
#ifdef HALF
  if (float(sum.x + sum.y) < 0.0) y[0] = float(sum.x);
#else
  if (sum < 0.0) y[0] = sum;
#endif
}
