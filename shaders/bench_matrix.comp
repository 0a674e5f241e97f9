#version 460
#extension GL_KHR_cooperative_matrix : require
#extension GL_KHR_memory_scope_semantics : require
#extension GL_EXT_shader_explicit_arithmetic_types_float16 : require
#extension GL_EXT_control_flow_attributes : require

// Products of cooperative matrices in registers, (MM, KK) x (KK, NN) of f16 into f32, kRows x kColumns
// accumulators a subgroup: the reference peak of 'vkgpt bench'.
layout(local_size_x_id = 0) in;
layout(constant_id = 1) const uint kSubgroups = 1;
layout(push_constant) uniform Push {
  uint iterations;
  float value;
  float flip;  // -1: b changes in each iteration, so that no emulation hoists the products
};
layout(set = 0, binding = 0, std430) writeonly buffer Y { float y[]; };  // (1)

const uint kRows = 4;
const uint kColumns = 2;

void main() {
  coopmat<float16_t, gl_ScopeSubgroup, MM, KK, gl_MatrixUseA> a[kRows];
  coopmat<float16_t, gl_ScopeSubgroup, KK, NN, gl_MatrixUseB> b[kColumns];
  coopmat<float, gl_ScopeSubgroup, MM, NN, gl_MatrixUseAccumulator> c[kRows][kColumns];
  [[unroll]] for (uint i = 0; i < kRows; ++i) {
    a[i] = coopmat<float16_t, gl_ScopeSubgroup, MM, KK, gl_MatrixUseA>(float16_t(value * float(i + 1)));
  }
  [[unroll]] for (uint j = 0; j < kColumns; ++j) {
    b[j] = coopmat<float16_t, gl_ScopeSubgroup, KK, NN, gl_MatrixUseB>(float16_t(value * float(j + 1)));
    [[unroll]] for (uint i = 0; i < kRows; ++i) {
      c[i][j] = coopmat<float, gl_ScopeSubgroup, MM, NN, gl_MatrixUseAccumulator>(0.0);
    }
  }
  for (uint n = 0; n < iterations; ++n) {
    [[unroll]] for (uint i = 0; i < kRows; ++i) {
      [[unroll]] for (uint j = 0; j < kColumns; ++j) c[i][j] = coopMatMulAdd(a[i], b[j], c[i][j]);
    }
    [[unroll]] for (uint j = 0; j < kColumns; ++j) b[j] = b[j] * float16_t(flip);
  }
  float sum = 0.0;
  [[unroll]] for (uint i = 0; i < kRows; ++i) {
    [[unroll]] for (uint j = 0; j < kColumns; ++j) sum += c[i][j][0];
  }
  if (sum == 1234567.0) y[0] = sum;  // never true, but no compiler can prove it
}
