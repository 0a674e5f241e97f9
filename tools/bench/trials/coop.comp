#version 460
#extension GL_KHR_cooperative_matrix : require
#extension GL_KHR_memory_scope_semantics : require
#extension GL_EXT_shader_explicit_arithmetic_types_float16 : require
#extension GL_EXT_shader_16bit_storage : require
#extension GL_EXT_control_flow_attributes : require
#extension GL_KHR_shader_subgroup_basic : require
// C (M, N) f32 = A (M, K) f16 B (K, N) f16; a subgroup computes FM x FN fragments of MM x NN.
layout(local_size_x = LANES) in;
layout(set = 0, binding = 0, std430) readonly buffer A { float16_t a[]; };
layout(set = 0, binding = 1, std430) readonly buffer B { float16_t b[]; };
layout(set = 0, binding = 2, std430) buffer C { float c[]; };
layout(push_constant) uniform Push { uint M, N, K; };
#if SHARED
const uint BM = MM * FM * WM, BN = NN * FN * WN, BK = 32;
shared f16vec4 sa[BM * (BK + 8) / 4];

#if BT
shared f16vec4 sb[BN * (BK + 8) / 4];
#else
shared f16vec4 sb[BK * (BN + 8) / 4];
#endif
layout(set = 0, binding = 0, std430) readonly buffer A4 { f16vec4 a4[]; };
layout(set = 0, binding = 1, std430) readonly buffer B4 { f16vec4 b4[]; };
#endif
void main() {
  coopmat<float, gl_ScopeSubgroup, MM, NN, gl_MatrixUseAccumulator> acc[FM][FN];
  [[unroll]] for (int i = 0; i < FM; ++i) [[unroll]] for (int j = 0; j < FN; ++j)
    acc[i][j] = coopmat<float, gl_ScopeSubgroup, MM, NN, gl_MatrixUseAccumulator>(0.0);
#if SHARED
  const uint threads = gl_WorkGroupSize.x;
  const uint row0 = gl_WorkGroupID.y * BM, col0 = gl_WorkGroupID.x * BN;
  const uint wm = gl_SubgroupID / WN * (MM * FM), wn = gl_SubgroupID % WN * (NN * FN);
  for (uint k = 0; k < K; k += BK) {
    [[unroll]] for (uint t = 0; t < BM * BK / 4; t += LANES) {
      const uint i = t + gl_LocalInvocationIndex;
      sa[(i / (BK / 4)) * ((BK + 8) / 4) + i % (BK / 4)] = a4[((row0 + i / (BK / 4)) * K + k) / 4 + i % (BK / 4)];
    }
    [[unroll]] for (uint t = 0; t < BN * BK / 4; t += LANES) {
      const uint i = t + gl_LocalInvocationIndex;

#if BT
      sb[(i / (BK / 4)) * ((BK + 8) / 4) + i % (BK / 4)] = b4[((col0 + i / (BK / 4)) * K + k) / 4 + i % (BK / 4)];
#else
      sb[(i / (BN / 4)) * ((BN + 8) / 4) + i % (BN / 4)] = b4[((k + i / (BN / 4)) * N + col0) / 4 + i % (BN / 4)];
#endif
    }
    barrier();
    [[unroll]] for (uint kk = 0; kk < BK; kk += KK) {
      coopmat<float16_t, gl_ScopeSubgroup, MM, KK, gl_MatrixUseA> fa[FM];
      coopmat<float16_t, gl_ScopeSubgroup, KK, NN, gl_MatrixUseB> fb;
      [[unroll]] for (int i = 0; i < FM; ++i)
        coopMatLoad(fa[i], sa, ((wm + i * MM) * (BK + 8) + kk) / 4, (BK + 8) / 4, gl_CooperativeMatrixLayoutRowMajor);
      [[unroll]] for (int j = 0; j < FN; ++j) {

#if BT
        coopMatLoad(fb, sb, ((wn + j * NN) * (BK + 8) + kk) / 4, (BK + 8) / 4, gl_CooperativeMatrixLayoutColumnMajor);
#else
        coopMatLoad(fb, sb, (kk * (BN + 8) + wn + j * NN) / 4, (BN + 8) / 4, gl_CooperativeMatrixLayoutRowMajor);
#endif
        [[unroll]] for (int i = 0; i < FM; ++i) acc[i][j] = coopMatMulAdd(fa[i], fb, acc[i][j]);
      }
    }
    barrier();
  }
  const uint m0 = row0 + wm, n0 = col0 + wn;
#else
  const uint m0 = gl_WorkGroupID.y * MM * FM, n0 = gl_WorkGroupID.x * NN * FN;
  for (uint k = 0; k < K; k += KK) {
    coopmat<float16_t, gl_ScopeSubgroup, MM, KK, gl_MatrixUseA> fa[FM];
    coopmat<float16_t, gl_ScopeSubgroup, KK, NN, gl_MatrixUseB> fb;
    [[unroll]] for (int i = 0; i < FM; ++i) 
#if AT
      coopMatLoad(fa[i], a, k * M + m0 + i * MM, M, gl_CooperativeMatrixLayoutColumnMajor);
#else
      coopMatLoad(fa[i], a, (m0 + i * MM) * K + k, K, gl_CooperativeMatrixLayoutRowMajor);
#endif

    [[unroll]] for (int j = 0; j < FN; ++j) {
      
#if BT
      coopMatLoad(fb, b, (n0 + j * NN) * K + k, K, gl_CooperativeMatrixLayoutColumnMajor);
#else
      coopMatLoad(fb, b, k * N + n0 + j * NN, N, gl_CooperativeMatrixLayoutRowMajor);
#endif

      [[unroll]] for (int i = 0; i < FM; ++i) acc[i][j] = coopMatMulAdd(fa[i], fb, acc[i][j]);
    }
  }
#endif
  [[unroll]] for (int i = 0; i < FM; ++i) [[unroll]] for (int j = 0; j < FN; ++j)
    coopMatStore(acc[i][j], c, (m0 + i * MM) * N + n0 + j * NN, N, gl_CooperativeMatrixLayoutRowMajor);
}
