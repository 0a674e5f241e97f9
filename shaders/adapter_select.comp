#version 460
#extension GL_GOOGLE_include_directive : require
#include "element.glsl"
#include "elementwise.glsl"

// hidden[row, j] = 0 unless owners[j] == adapters[row]: of adapters side by side each row keeps its own's columns.
layout(push_constant) uniform Push {
  uint count;  // rows * R
  uint R;
};
layout(set = 0, binding = 0, std430) buffer Hidden { ELEMENT hidden[]; };           // (rows, R)
layout(set = 0, binding = 1, std430) readonly buffer Owners { int owners[]; };      // (R)
layout(set = 0, binding = 2, std430) readonly buffer Adapters { int adapters[]; };  // (rows)

void main() {
  ELEMENTWISE_LOOP(i, count) {
    const float own = from_element(hidden[i]);
    hidden[i] = to_element(owners[i % R] == adapters[i / R] ? own : 0.0);
  }
}
