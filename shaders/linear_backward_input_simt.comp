#version 460
#extension GL_GOOGLE_include_directive : require

// dx = dy W (ops/matmul/matmul.hpp).

#define TRANSPOSITION TRANSPOSITION_NN
#include "matmul_simt.glsl"
