// C = op(A) op(B) by register tiles, without shared memory: a workgroup is one subgroup and computes a tile of TM rows
// and 4 LANES columns, each lane four columns of it. The lanes load the A tile together and exchange its elements by
// shuffles; or, BY_ADDRESS, every element of A is loaded for itself, once for all lanes, and with B_VECTORS every element
// of B. Design and figures: shaders/docs/matmul.md. The including file defines TRANSPOSITION; beside the macros of
// matmul.glsl the host (src/ops/matmul/matmul_scalar.cpp) sets
//   LANES       workgroup size, at most the subgroup size
//   TM          rows of the tile: 32, 16, 8, or (not for TN) 1
//   K_STEP      k extent of an iteration: 8, on CPU drivers of 16 lanes 16 for up to 16 rows, or for TM = 1 twice LANES
//   B_STEP      k extent of B that registers hold at a time; divides K_STEP and is even
//   WIDE        1: loads and stores two neighbours of DTYPE as one word; row lengths and offsets are even
//   WIDE_F32    1: likewise two of f32, as a 64-bit word
//   K_TAIL      1: K is not a multiple of K_STEP; not BY_ADDRESS
//   HOLDS       1: reads all that the epilogue needs before it stores anything
//   M_TAIL      (BY_ADDRESS, TN) 1: M is not a multiple of TM
//   B_VECTORS   (BY_ADDRESS) where defined, B is of f32, N a multiple of 4 LANES, and LANES is 4, 8 or 16

#extension GL_EXT_control_flow_attributes : require
#extension GL_KHR_shader_subgroup_ballot : require
#if WIDE_F32
#include "words64.glsl"
#define LEVELS_BY_SELECTION
#if defined(BLOCKS) && BLOCKS != 2 && BLOCKS != 3
#define BLOCK_WORDS64
#endif
#endif

#include "matmul_forms.glsl"

layout(local_size_x = LANES) in;

#define VALUES 2
#define F32_WORDS WIDE_F32
#define ELEMENT_WORDS WIDE
#include "matmul_values.glsl"

#include "matmul.glsl"

#include "matmul_epilogue.glsl"

const int kStep = K_STEP;
const int kBStep = B_STEP;
// Rows that are multiplied by a pair of columns in one go: their sums, B and A fit in 16 vector registers, on CPU drivers
// of 16 lanes and on GPUs in 32.
const int kBlock = min(TM, LANES < 16 ? 4 : 8);
const int kPairs = 2;       // column pairs of a lane
const uint kStripTiles = 4;  // see tile_of_group

#define UNROLL [[unroll]]

// Pairs of columns or of k. Without WIDE the last pair of an odd extent has a first element only.
#if WIDE
uint last_pair(uint extent) { return extent - 2; }
uint has_next(uint i, uint extent) { return 1; }
#else
uint last_pair(uint extent) { return extent - 1; }
uint has_next(uint i, uint extent) { return i + 1 < extent ? 1 : 0; }
#endif

#if K_TAIL
#define AT_K(i) min(i, K - 1)
#define AT_K_PAIR(i) min(i, last_pair(K))
#define NEXT_K(i) has_next(i, K)
#define AT_EIGHT_K(i) min(i, K - 8)  // in blocks, whose rows are made of eights
#else
#define AT_K(i) (i)
#define AT_K_PAIR(i) (i)
#define NEXT_K(i) 1
#define AT_EIGHT_K(i) (i)
#endif

#ifndef BY_ADDRESS

// The A tile of an iteration, TM x kStep, as kSlots rows of kExtent pairs of neighbours. A vector, one pair in every
// lane, is a part of such a row, or several whole ones.
#if TRANSPOSITION == TRANSPOSITION_TN
const int kExtent = TM / 2;  // pairs along m; a slot is one k
const int kSlots = kStep;
#else
const int kExtent = TM;  // pairs along k, one in each row of C; a slot is two k
const int kSlots = kStep / 2;
#endif
const int kParts = LANES < kExtent ? kExtent / LANES : 1;        // vectors that make up one slot
const int kVectorSlots = LANES < kExtent ? 1 : LANES / kExtent;  // slots in one vector
const int kVectors = kParts * kSlots / kVectorSlots;

// Element (m, k) of the A tile; m and k are constants.
#if TRANSPOSITION == TRANSPOSITION_TN
#define A_PAIR(m) ((m) / 2)
#define A_SLOT(k) (k)
#define A_PART(m, k) ((m) & 1)
#else
#define A_PAIR(m) (m)
#define A_SLOT(k) ((k) / 2)
#define A_PART(m, k) ((k) & 1)
#endif
#define A_VECTOR(m, k) (A_SLOT(k) / kVectorSlots * kParts + A_PAIR(m) / LANES)
#define A_LANE(m, k) (A_PAIR(m) % LANES + A_SLOT(k) % kVectorSlots * kExtent)
#define A_VALUE(vectors, m, k) subgroupBroadcast(vectors[A_VECTOR(m, k)][A_PART(m, k)], A_LANE(m, k))

// Where this lane's pairs of A begin, and whether each has a second element.
uint a_index[kParts];
uint a_next[kParts];

void find_a(uint lane, uint m0) {
  UNROLL for (int r = 0; r < kParts; ++r) {
    const uint pair = r * LANES + lane % kExtent;
#if TRANSPOSITION == TRANSPOSITION_TN
    const uint m = min(m0 + 2 * pair, last_pair(M));
    a_index[r] = a_offset + m;
    a_next[r] = has_next(m, M);
#else
    a_index[r] = a_offset + min(m0 + pair, M - 1) * lda;
#endif
  }
}

// The A tile of the iteration at k.
vec2[kVectors] load_a(uint lane, uint k) {
  vec2 av[kVectors];
  UNROLL for (int v = 0; v < kVectors; ++v) {
    const uint s = v / kParts * kVectorSlots + lane / kExtent;
#if TRANSPOSITION == TRANSPOSITION_TN
    av[v] = LOAD(a, a_index[v % kParts] + AT_K(k + s) * lda, a_next[v % kParts]);
#if K_TAIL
    if (k + s >= K) av[v] = vec2(0.0);
#endif
#else
    const uint at = AT_K_PAIR(k + 2 * s);
    av[v] = LOAD(a, a_index[v % kParts] + at, NEXT_K(at));
#if K_TAIL
    av[v] = vec2(k + 2 * s < K ? av[v].x : 0.0, k + 2 * s + 1 < K ? av[v].y : 0.0);
#endif
#endif
  }
  return av;
}

#define A_ELEMENT(i, u) A_VALUE(av, i, u)

#else

// Element (m0 + i, k + u); i and u are constants.
#if TRANSPOSITION == TRANSPOSITION_TN
#if M_TAIL
#define A_ELEMENT(i, u) FloatAt(a_row[u]).at[min(i, M - 1 - m0)]
#else
#define A_ELEMENT(i, u) FloatAt(a_row[u]).at[i]
#endif
uint64_t a_row[kStep];  // of A, at column m0 of C

void find_a(uint m0, uint k) {
  UNROLL for (int u = 0; u < kStep; ++u) a_row[u] = a_address + 4 * uint64_t(a_offset + m0 + (k + u) * lda);
}
#else
#define A_ELEMENT(i, u) FloatAt(a_row[i] + 4 * uint64_t(k)).at[u]
uint64_t a_row[TM];

void find_a(uint m0) {
  UNROLL for (int i = 0; i < TM; ++i) a_row[i] = a_address + 4 * uint64_t(a_offset + min(m0 + i, M - 1) * lda);
}
#endif

#endif

// This lane's columns, and whether each pair has a second one. Beyond the edges of C a lane works on the last row or
// column again and stores nothing.
uint column[kPairs];
uint column_next[kPairs];

void find_columns(uint lane, uint n0) {
  UNROLL for (int p = 0; p < kPairs; ++p) {
    column[p] = min(n0 + 2 * (p * LANES + lane), last_pair(N));
    column_next[p] = has_next(column[p], N);
  }
}

#if defined(BY_ADDRESS) && WIDE
#define LOAD_B(row, i, more) unpack_floats(WordAt(b_address + 4 * uint64_t(row) + 4 * uint64_t(i)).at[0])
#else
#define LOAD_B(row, i, more) LOAD(b, (row) + (i), more)
#endif

#ifdef B_VECTORS
// Vector j of B holds the LANES columns from n0 + j LANES on, until pair_columns() gives each lane its pairs.
#if TRANSPOSITION == TRANSPOSITION_NT
uint64_t b_row[2 * kPairs];  // of the first column of each vector

void find_b(uint n0) {
  UNROLL for (int j = 0; j < 2 * kPairs; ++j) b_row[j] = b_address + 4 * uint64_t((n0 + j * LANES) * ldb);
}
#else
uint64_t b_column;

void find_b(uint n0) { b_column = b_address + 4 * uint64_t(n0); }
#endif

#define EVEN_COLUMN(n) subgroupBroadcast(acc[i][2 * p + 2 * (n) / LANES], 2 * (n) % LANES)
#define ODD_COLUMN(n) subgroupBroadcast(acc[i][2 * p + 2 * (n) / LANES], (2 * (n) + 1) % LANES)

void pair_columns(inout float acc[TM][2 * kPairs]) {
  UNROLL for (int i = 0; i < TM; ++i) {
    UNROLL for (int p = 0; p < kPairs; ++p) {
      const vec2 pair = vec2(ONE_A_LANE(EVEN_COLUMN), ONE_A_LANE(ODD_COLUMN));
      acc[i][2 * p] = pair.x;
      acc[i][2 * p + 1] = pair.y;
    }
  }
}
#endif

// This lane's columns of B at the B_STEP k from k on.
vec2[kBStep * kPairs] load_b(uint k) {
  vec2 bv[kBStep * kPairs];
#if TRANSPOSITION == TRANSPOSITION_NT
#ifdef B_VECTORS
  UNROLL for (int u = 0; u < kBStep; u += 2) {
    UNROLL for (int j = 0; j < 2 * kPairs; ++j) {
#define B_AT(i) FloatAt(b_row[j] + 4 * uint64_t(k + (i) * ldb)).at[u]
#define NEXT_B_AT(i) FloatAt(b_row[j] + 4 * uint64_t(k + (i) * ldb)).at[u + 1]
      bv[u * kPairs + j] = vec2(ONE_A_LANE(B_AT), ONE_A_LANE(NEXT_B_AT));
    }
  }
#elif defined(BLOCKS)
  // An iteration begins where a block does, or takes a part of one.
  float scales[2 * kPairs];
  UNROLL for (int u = 0; u < kBStep; u += 8) {
    const uint at = AT_EIGHT_K(k + u);
    UNROLL for (int j = 0; j < 2 * kPairs; ++j) {
      const uint number = (column[j / 2] + j % 2 * column_next[j / 2]) * ldb + at;
      if (u % 32 == 0) scales[j] = block_scale(number);
      const EIGHT_QUANTS quants = eight_quants(number);
      const vec4 low = scales[j] * low_levels(quants), high = scales[j] * high_levels(quants);
      bv[u * kPairs + j] = low.xy;
      bv[(u + 2) * kPairs + j] = low.zw;
      bv[(u + 4) * kPairs + j] = high.xy;
      bv[(u + 6) * kPairs + j] = high.zw;
    }
  }
#else
  UNROLL for (int u = 0; u < kBStep; u += 2) {
    const uint at = AT_K_PAIR(k + u);
    UNROLL for (int j = 0; j < 2 * kPairs; ++j) {
      const uint row = column[j / 2] + j % 2 * column_next[j / 2];
      bv[u * kPairs + j] = LOAD_B(row * ldb, at, NEXT_K(at));
    }
  }
#endif
#define B_VALUE(u, j) bv[(u) / 2 * 2 * kPairs + (j)][(u) & 1]
#else
  UNROLL for (int u = 0; u < kBStep; ++u) {
    const uint row = AT_K(k + u) * ldb;
#ifdef B_VECTORS
#define B_AT(i) FloatAt(b_column + 4 * uint64_t(row)).at[2 * p * LANES + (i)]
#define NEXT_B_AT(i) B_AT(LANES + (i))
    UNROLL for (int p = 0; p < kPairs; ++p) bv[u * kPairs + p] = vec2(ONE_A_LANE(B_AT), ONE_A_LANE(NEXT_B_AT));
#elif defined(BLOCKS)
    UNROLL for (int p = 0; p < kPairs; ++p) bv[u * kPairs + p] = block_pair(row + (column[p] & ~1u));
#else
    UNROLL for (int p = 0; p < kPairs; ++p) bv[u * kPairs + p] = LOAD_B(row, column[p], column_next[p]);
#endif
  }
#define B_VALUE(u, j) bv[(u) * kPairs + (j) / 2][(j) & 1]
#endif
  return bv;
}

// Multiplies kBlock rows by a pair of columns over the k in registers. A macro, since Mesa does not unroll loops nested
// more deeply.
#define BLOCK(i0, p)                                                                      \
  UNROLL for (int u = 0; u < kBStep; ++u) UNROLL for (int i = i0; i < i0 + kBlock; ++i) { \
    const float x = A_ELEMENT(i, u0 + u);                                                 \
    acc[i][2 * p] = fma(x, B_VALUE(u, 2 * p), acc[i][2 * p]);                             \
    acc[i][2 * p + 1] = fma(x, B_VALUE(u, 2 * p + 1), acc[i][2 * p + 1]);                 \
  }
#define BLOCKS_OF_PAIRS(i0) BLOCK(i0, 0) BLOCK(i0, 1)
#if TM >= 8 && LANES < 16
#define EIGHT_ROWS(i0) BLOCKS_OF_PAIRS(i0) BLOCKS_OF_PAIRS(i0 + 4)
#else
#define EIGHT_ROWS(i0) BLOCKS_OF_PAIRS(i0)
#endif

#if HOLDS && (PARTIAL || ACCUMULATE || EPILOGUE == EPILOGUE_GELU_GRAD)
#define HELD(i, p) held[(i) * kPairs + (p)]
#endif

void finish_tile(float acc[TM][2 * kPairs], uint lane, uint m0, uint n0) {
  vec2 column_bias[kPairs];
  UNROLL for (int p = 0; p < kPairs; ++p) column_bias[p] = load_bias(column[p]);
#ifdef HELD
  Held held[TM * kPairs];
  UNROLL for (int i = 0; i < TM; ++i) {
    UNROLL for (int p = 0; p < kPairs; ++p) HELD(i, p) = load_held(min(m0 + i, M - 1), column[p]);
  }
#else
#define HELD(i, p) load_held(m0 + i, column[p])
#endif
  UNROLL for (int i = 0; i < TM; ++i) {
    if (m0 + i < M) {
      UNROLL for (int p = 0; p < kPairs; ++p) {
        if (n0 + 2 * (p * LANES + lane) < N) {
          finish_held(m0 + i, column[p], HELD(i, p), vec2(acc[i][2 * p], acc[i][2 * p + 1]), column_bias[p]);
        }
      }
    }
  }
}

void main() {
  const uint lane = gl_SubgroupInvocationID;
  const uvec2 tile = tile_of_group(kStripTiles);
  const uint m0 = tile.y * TM;
  const uint n0 = tile.x * 2 * kPairs * LANES;
  find_columns(lane, n0);
#ifdef B_VECTORS
  find_b(n0);
#endif
#ifndef BY_ADDRESS
  find_a(lane, m0);
#elif TRANSPOSITION != TRANSPOSITION_TN
  find_a(m0);
#endif

  float acc[TM][2 * kPairs];
  UNROLL for (int i = 0; i < TM; ++i) UNROLL for (int j = 0; j < 2 * kPairs; ++j) acc[i][j] = 0.0;
#if ROW_SUMS
#ifdef BY_ADDRESS
  float a_sum[TM];
  UNROLL for (int i = 0; i < TM; ++i) a_sum[i] = 0.0;
#else
  vec2 a_sum[kVectors];
  UNROLL for (int v = 0; v < kVectors; ++v) a_sum[v] = vec2(0.0);
#endif
#endif

  for (uint step = 0; step < K; step += kStep) {
#ifdef BY_ADDRESS
    const uint k = min(step, K - kStep);  // as WITHIN has it
#else
    const uint k = step;
#endif
#ifndef BY_ADDRESS
    const vec2 av[kVectors] = load_a(lane, k);
#elif TRANSPOSITION == TRANSPOSITION_TN
    find_a(m0, k);
#endif
#if ROW_SUMS
#ifdef BY_ADDRESS
    if (tile.x == 0) {
      UNROLL for (int i = 0; i < TM; ++i) UNROLL for (int u = 0; u < kStep; ++u) a_sum[i] += A_ELEMENT(i, u);
    }
#else
    UNROLL for (int v = 0; v < kVectors; ++v) a_sum[v] += av[v];
#endif
#endif
#if B_STEP < K_STEP
    UNROLL for (int u0 = 0; u0 < kStep; u0 += kBStep)
#else
    const int u0 = 0;
#endif
    {
      const vec2 bv[kBStep * kPairs] = load_b(k + u0);
      EIGHT_ROWS(0)
#if TM >= 16
      EIGHT_ROWS(8)
#endif
#if TM == 32
      EIGHT_ROWS(16)
      EIGHT_ROWS(24)
#endif
    }
  }
#ifdef B_VECTORS
  pair_columns(acc);
#endif
  finish_tile(acc, lane, m0, n0);

#if ROW_SUMS
  if (tile.x == 0) {
    UNROLL for (int i = 0; i < TM; ++i) {
#ifdef BY_ADDRESS
      const float sum = a_sum[i];
#else
      float sum = 0.0;
      UNROLL for (int u = 0; u < kStep; ++u) sum += A_VALUE(a_sum, i, u);
#endif
      if (m0 + i < M && lane == 0) finish_row_sum(m0 + i, sum);
    }
  }
#endif
}
