#version 460
#extension GL_GOOGLE_include_directive : require

// dW += dy^T x, with the sums of dy's columns as dbias (ops/matmul/matmul.hpp).

#define TRANSPOSITION TRANSPOSITION_TN
#include "matmul_simt.glsl"
