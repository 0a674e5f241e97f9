// The values of TRANSPOSITION and EPILOGUE.

#define TRANSPOSITION_NN 0  // A (M, K), B (K, N)
#define TRANSPOSITION_NT 1  // A (M, K), B (N, K)
#define TRANSPOSITION_TN 2  // A (K, M), B (K, N)

#define EPILOGUE_NONE 0
#define EPILOGUE_GELU 1       // stored in pre, then GELU
#define EPILOGUE_GELU_GRAD 2  // * gelu'(pre)
