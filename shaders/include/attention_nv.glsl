// Shared by attention_forward_nv, attention_backward_dq_nv and attention_backward_dkv_nv: attention on the matrices
// of VK_NV_cooperative_matrix2, which are as large as the tiles, know the row and column of an element, are reduced
// by rows and become operands in registers (shaders/README.md). Macros:
//   HS              head size, a multiple of what matrices are multiples of
//   DTYPE           1 f16 or 2 bf16: q, k, v, the output, their gradients and all operands
//   LANES           invocations of the workgroup: one subgroup, unless
//   WORKGROUP       1: matrices are the workgroup's
//   OWN             rows (queries, or keys in _dkv) that a workgroup owns
//   TILE            rows of the other side at a time, a multiple of OWN
//   COLUMNS         what the columns of a matrix are multiples of
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
#define OwnRows coopmat<OPERAND, SCOPE, OWN, HS, gl_MatrixUseA>
#define TileRows coopmat<OPERAND, SCOPE, TILE, HS, gl_MatrixUseB>
#define TileColumns coopmat<OPERAND, SCOPE, HS, TILE, gl_MatrixUseB>  // their transpose

#define LOAD_OWN(operand, array, source, base, stride, first)                            \
  barrier();                                                                             \
  STAGE_ROWS(array, 0, source, base, stride, first, OWN)                                 \
  barrier();                                                                             \
  coopMatLoad(operand, array, 0, ROW_WORDS, gl_CooperativeMatrixLayoutRowMajor);

// weights times the rows of `tile`, added to `results`.
#define ADD_WEIGHTED(results, weights, tile)                                             \
  {                                                                                      \
    TileRows rows;                                                                       \
    coopMatLoad(rows, tile, 0, ROW_WORDS, gl_CooperativeMatrixLayoutRowMajor);           \
    results = coopMatMulAdd(weights, rows, results);                                     \
  }

// Owned rows times those of `tile`.
#define SCORES_OF(own, tile, scores)                                                     \
  {                                                                                      \
    TileColumns columns;                                                                 \
    coopMatLoad(columns, tile, 0, ROW_WORDS, gl_CooperativeMatrixLayoutColumnMajor);     \
    scores = coopMatMulAdd(own, columns, Scores(0));                                     \
  }

// Rows of the results, rounded to operands, into `target`, by way of `array`: row r of the group, first + r of the
// sequence, is at element base + (first + r) * stride.
#define STORE_ROWS(results, array, target, base, stride, first)                          \
  barrier();                                                                             \
  coopMatStore(OwnRows(results), array, 0, ROW_WORDS, gl_CooperativeMatrixLayoutRowMajor); \
  barrier();                                                                             \
  for (uint item = gl_LocalInvocationIndex; item < OWN * HS / 4; item += LANES) {        \
    uint r = item / (HS / 4);                                                            \
    uint c = item % (HS / 4);                                                            \
    if ((first) + r < T) target[((base) + ((first) + r) * (stride)) / 4 + c] = array[r * ROW_WORDS + c]; \
  }
