#version 460
#extension GL_GOOGLE_include_directive : require
#include "elementwise.glsl"

// squared = a I + b gram + c squared, of matrices (n, n). The a on the diagonal spares a X + (...) X a pass.
layout(push_constant) uniform Push {
  uint count;
  uint first;  // place of the slice in the matrices, in elements
  uint n;
  float a;
  float b;
  float c;
};
layout(set = 0, binding = 0, std430) readonly buffer Gram { float gram[]; };  // (count)
layout(set = 0, binding = 1, std430) buffer Squared { float squared[]; };     // (count)

void main() {
  ELEMENTWISE_LOOP(i, count) {
    const bool is_diagonal = (first + i) % (n + 1) == 0;
    squared[i] = b * gram[i] + c * squared[i] + (is_diagonal ? a : 0.0);
  }
}
