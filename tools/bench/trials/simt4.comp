#version 460
#extension GL_EXT_control_flow_attributes : require
// C (M, N) = A (M, K) B (K, N) f32, shared memory; TM x TN elements an invocation, double-buffered through registers.
layout(local_size_x = LANES) in;
layout(set = 0, binding = 0, std430) readonly buffer A { vec4 a4[]; };
layout(set = 0, binding = 1, std430) readonly buffer B { vec4 b4[]; };
layout(set = 0, binding = 2, std430) buffer C { vec4 c4[]; };
layout(push_constant) uniform Push { uint M, N, K; };
const uint COLS = BN / TN;             // invocations along n
const uint BM = LANES / COLS * TM;
const uint LA = BM * BK / 4 / LANES, LB = BN * BK / 4 / LANES;  // vec4 loads an invocation
shared float sa[BUF][BK][BM + PAD];
shared vec4 sb[BUF][BK][BN / 4];
void main() {
  const uint t = gl_LocalInvocationIndex;
  const uint m0 = gl_WorkGroupID.y * BM, n0 = gl_WorkGroupID.x * BN;
  const uint tm = t / COLS * TM, tn = t % COLS;
  float acc[TM][TN];
  [[unroll]] for (int i = 0; i < TM; ++i) [[unroll]] for (int j = 0; j < TN; ++j) acc[i][j] = 0;
  vec4 ra[LA], rb[LB];
#define FETCH(k) \
  [[unroll]] for (uint l = 0; l < LA; ++l) { const uint i = l * LANES + t; ra[l] = a4[((m0 + i / (BK / 4)) * K + k) / 4 + i % (BK / 4)]; } \
  [[unroll]] for (uint l = 0; l < LB; ++l) { const uint i = l * LANES + t; rb[l] = b4[((k + i / (BN / 4)) * N + n0) / 4 + i % (BN / 4)]; }
#define PUT(w) \
  [[unroll]] for (uint l = 0; l < LA; ++l) { const uint i = l * LANES + t; [[unroll]] for (uint e = 0; e < 4; ++e) sa[w][i % (BK / 4) * 4 + e][i / (BK / 4)] = ra[l][e]; } \
  [[unroll]] for (uint l = 0; l < LB; ++l) { const uint i = l * LANES + t; sb[w][i / (BN / 4)][i % (BN / 4)] = rb[l]; }
  FETCH(0) PUT(0)
  barrier();
  uint w = 0;
  for (uint k = 0; k < K; k += BK) {
    const uint next = min(k + BK, K - BK);
    FETCH(next)
    [[dont_unroll]] for (uint kq = 0; kq < BK; kq += 4) [[unroll]] for (uint kk = kq; kk < kq + 4; ++kk) {
      float x[TM];
      vec4 y[TN / 4];
      [[unroll]] for (int i = 0; i < TM; ++i) x[i] = sa[w][kk][tm + i];
      [[unroll]] for (int j = 0; j < TN / 4; ++j) y[j] = sb[w][kk][tn + j * COLS];
      [[unroll]] for (int i = 0; i < TM; ++i) [[unroll]] for (int j = 0; j < TN; ++j) acc[i][j] = fma(x[i], y[j / 4][j % 4], acc[i][j]);
    }
#if BUF == 1
    barrier();
    PUT(0)
#else
    w = 1 - w;
    PUT(w)
#endif
    barrier();
  }
  [[unroll]] for (int i = 0; i < TM; ++i) [[unroll]] for (int j = 0; j < TN / 4; ++j)
    c4[((m0 + tm + i) * N + n0) / 4 + tn + j * COLS] = vec4(acc[i][4 * j], acc[i][4 * j + 1], acc[i][4 * j + 2], acc[i][4 * j + 3]);
}
