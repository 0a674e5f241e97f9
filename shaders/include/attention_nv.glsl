// Shared by attention_forward_nv, attention_backward_dq_nv and attention_backward_dkv_nv: attention on the matrices
// of VK_NV_cooperative_matrix2, which are as large as the tiles and offer per-element functions with row and column,
// row reductions and conversion to operands in registers (shaders/docs/attention.md). Macros:
//   HS              head size, a multiple of the matrices' granularity
//   DTYPE           1 f16 or 2 bf16: q, k, v, the output, their gradients and all operands
//   LANES           invocations of the workgroup: one subgroup, unless
//   WORKGROUP       1: matrices have workgroup scope
//   OWN             rows (queries, or keys in _dkv) that a workgroup owns
//   TILE            rows of the other side at a time, a multiple of OWN
//   COLUMNS         granularity of a matrix' columns
//   WINDOW          1: query t sees the keys in (t - window, t] only
//   GROUPED         1: _dkv sums over the query heads that share a key head
#extension GL_NV_cooperative_matrix2 : require

#define UNROLL_STAGING [[unroll]]
#include "attention_tiles.glsl"

#if WORKGROUP
#define SCOPE gl_ScopeWorkgroup
#else
#define SCOPE gl_ScopeSubgroup
#endif
#define Scores coopmat<float, SCOPE, OWN, TILE, gl_MatrixUseAccumulator>
#define Results coopmat<float, SCOPE, OWN, HS, gl_MatrixUseAccumulator>
#define Weights coopmat<OPERAND, SCOPE, OWN, TILE, gl_MatrixUseA>  // scores as an operand
#ifdef DOCUMENTS
shared uint row_limit[OWN];  // of the owned rows: begin_of queries or end_of keys
#define ROW_BEGIN(row) row_limit[row]
#define ROW_END(row) row_limit[row]
#define STAGE_LIMITS(limit_of, b, first) \
  for (uint row = gl_LocalInvocationIndex; row < OWN; row += LANES) row_limit[row] = limit_of(b, (first) + row);
#else
#define ROW_BEGIN(row) 0
#define ROW_END(row) T
#define STAGE_LIMITS(limit_of, b, first)
#endif
#define OwnRows coopmat<OPERAND, SCOPE, OWN, HS, gl_MatrixUseA>
#define TileRows coopmat<OPERAND, SCOPE, TILE, HS, gl_MatrixUseB>
#define TileColumns coopmat<OPERAND, SCOPE, HS, TILE, gl_MatrixUseB>  // their transpose

#define LOAD_OWN(operand, array, source, base, stride, first)                            \
  barrier();                                                                             \
  STAGE_ROWS(array, 0, source, base, stride, first, OWN, T)                              \
  barrier();                                                                             \
  coopMatLoad(operand, array, 0, ROW_WORDS, gl_CooperativeMatrixLayoutRowMajor);

// results += weights times the rows of `tile`.
#define ADD_WEIGHTED(results, weights, tile)                                             \
  {                                                                                      \
    TileRows rows;                                                                       \
    coopMatLoad(rows, tile, 0, ROW_WORDS, gl_CooperativeMatrixLayoutRowMajor);           \
    results = coopMatMulAdd(weights, rows, results);                                     \
  }

// Products of the owned rows and those of `tile`.
#define SCORES_OF(own, tile, scores)                                                     \
  {                                                                                      \
    TileColumns columns;                                                                 \
    coopMatLoad(columns, tile, 0, ROW_WORDS, gl_CooperativeMatrixLayoutColumnMajor);     \
    scores = coopMatMulAdd(own, columns, Scores(0));                                     \
  }

#if ROWS_DTYPE == DTYPE
#define row_word(word) word
#else
#define row_word(word) pack4_of(ROWS_DTYPE, unpack4(word))
#endif

// Stores the results, rounded to operands, to `target`, staged through `array`: row r of the group, first + r of the
// sequence, is at element base + (first + r) * stride.
#define STORE_ROWS(results, array, target, base, stride, first)                          \
  barrier();                                                                             \
  coopMatStore(OwnRows(results), array, 0, ROW_WORDS, gl_CooperativeMatrixLayoutRowMajor); \
  barrier();                                                                             \
  for (uint item = gl_LocalInvocationIndex; item < OWN * HS / 4; item += LANES) {        \
    uint r = item / (HS / 4);                                                            \
    uint c = item % (HS / 4);                                                            \
    if ((first) + r < T) {                                                               \
      target[((base) + ((first) + r) * (stride)) / 4 + c] = row_word(array[r * ROW_WORDS + c]); \
    }                                                                                    \
  }
