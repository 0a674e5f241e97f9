#version 460
#extension GL_GOOGLE_include_directive : require

// y = x W^T (ops/matmul/matmul.hpp).

#define TRANSPOSITION TRANSPOSITION_NT
#include "matmul_nv.glsl"
