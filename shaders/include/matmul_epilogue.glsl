// The epilogue of every matmul backend, chosen by the macros of matmul.glsl. The including file defines the macros of
// matmul_values.glsl. `at` is the index in C, pre and partials of the first of VALUES neighbours in a row, `n` its
// column.
#include "gelu.glsl"

#if C_DTYPE == 0
#define LOAD_C LOAD_F32
#define STORE_C STORE_F32
#else
#define LOAD_C LOAD
#define STORE_C STORE
#endif

// The argument `more` of matmul_values.glsl: neighbours that follow column n in its row.
#if ELEMENT_WORDS
#define MORE(n) (VALUES - 1)
#elif VALUES == 2
#define MORE(n) ((n) + 1 < N ? 1 : 0)
#else
#define MORE(n) (N - 1 - (n))
#endif

values load_bias(uint n) {
#if BIAS
  return LOAD_F32(bias, n, MORE(n));
#else
  return values(0.0);
#endif
}

// Adds the partial sums of earlier dispatches, and the bias.
values complete_sum(uint at, uint n, values v, values column_bias) {
#if PARTIAL == 1
  v += LOAD_C(c, at, MORE(n));
#elif PARTIAL == 2
  v += LOAD_F32(partials, at, MORE(n));
#endif
#if BIAS
  v += column_bias;
#endif
  return v;
}

#if EPILOGUE == EPILOGUE_GELU
// Returns v as pre holds it, so that the GELU of pre has the same bits.
values store_pre(uint at, uint n, values v) {
  STORE(pre, at, MORE(n), v)
  return rounded(v);
}
#endif

values activate(uint at, uint n, values v) {
#if EPILOGUE == EPILOGUE_GELU
  v = FOR_EACH(gelu, v);
#elif EPILOGUE == EPILOGUE_GELU_GRAD
  const values x = LOAD(pre, at, MORE(n));
  v *= FOR_EACH(gelu_grad, x);
#endif
#if ACCUMULATE
  v += LOAD_C(c, at, MORE(n));
#endif
  return v;
}

void store_c(uint at, uint n, values v) { STORE_C(c, at, MORE(n), v) }

// The whole epilogue of the values in row m from column n on; `column_bias` is their bias.
void finish(uint m, uint n, values v, values column_bias) {
  const uint at = c_offset + m * ldc + n;
  v = complete_sum(at, n, v, column_bias);
#if EPILOGUE == EPILOGUE_GELU
  v = store_pre(at, n, v);
#endif
  store_c(at, n, activate(at, n, v));
}

#if ROW_SUMS
float complete_row_sum(uint m, float sum) {
#if ROW_SUMS == 1
  sum += row_sums[FIRST_ROW_SUM + m];
#endif
  return sum;
}
void finish_row_sum(uint m, float sum) { row_sums[FIRST_ROW_SUM + m] = complete_row_sum(m, sum); }
#endif
