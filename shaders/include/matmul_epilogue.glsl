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

// What memory holds at `at`, where the variant needs it: sums of earlier dispatches, pre, and C to be added to.
values load_partial(uint at, uint n) {
#if PARTIAL == 1
  return LOAD_C(c, at, MORE(n));
#elif PARTIAL == 2
  return LOAD_F32(partials, at, MORE(n));
#else
  return values(0.0);
#endif
}
values load_pre(uint at, uint n) {
#if EPILOGUE == EPILOGUE_GELU_GRAD
  return LOAD(pre, at, MORE(n));
#else
  return values(0.0);
#endif
}
values load_old(uint at, uint n) {
#if ACCUMULATE
  return LOAD_C(c, at, MORE(n));
#else
  return values(0.0);
#endif
}

values complete_sum(values partial, values v, values column_bias) {
#if PARTIAL
  v += partial;
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

values activate(values before, values old, values v) {
#if EPILOGUE == EPILOGUE_GELU
  v = FOR_EACH(gelu, v);
#elif EPILOGUE == EPILOGUE_GELU_GRAD
  v *= FOR_EACH(gelu_grad, before);
#endif
#if ACCUMULATE
  v += old;
#endif
  return v;
}

void store_c(uint at, uint n, values v) { STORE_C(c, at, MORE(n), v) }

struct Held {
  values partial;
  values pre;
  values old;
};

uint place_of(uint m, uint n) { return c_offset + m * ldc + n; }

// All that `finish_held` reads of memory for the values in row m from column n on.
Held load_held(uint m, uint n) {
  const uint at = place_of(m, n);
  return Held(load_partial(at, n), load_pre(at, n), load_old(at, n));
}

// The whole epilogue of these values; `column_bias` is their bias.
void finish_held(uint m, uint n, Held held, values v, values column_bias) {
  const uint at = place_of(m, n);
  v = complete_sum(held.partial, v, column_bias);
#if EPILOGUE == EPILOGUE_GELU
  v = store_pre(at, n, v);
#endif
  store_c(at, n, activate(held.pre, held.old, v));
}

void finish(uint m, uint n, values v, values column_bias) { finish_held(m, n, load_held(m, n), v, column_bias); }

#if ROW_SUMS
float complete_row_sum(uint m, float sum) {
#if ROW_SUMS == 1
  sum += row_sums[FIRST_ROW_SUM + m];
#endif
  return sum;
}
void finish_row_sum(uint m, float sum) { row_sums[FIRST_ROW_SUM + m] = complete_row_sum(m, sum); }
#endif
