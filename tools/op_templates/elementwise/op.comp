#version 460
#extension GL_GOOGLE_include_directive : require
#include "element.glsl"
#include "elementwise.glsl"

// y = x / (1 + |x|), or with BACKWARD its gradient, dx = dy / (1 + |x|)^2.
layout(push_constant) uniform Push { uint count; };
layout(set = 0, binding = 0, std430) readonly buffer X { ELEMENT x[]; };     // (count)
#ifdef BACKWARD
layout(set = 0, binding = 1, std430) readonly buffer DY { ELEMENT dy[]; };   // (count)
layout(set = 0, binding = 2, std430) writeonly buffer DX { ELEMENT dx[]; };  // (count)
#else
layout(set = 0, binding = 1, std430) writeonly buffer Y { ELEMENT y[]; };    // (count)
#endif

void main() {
  ELEMENTWISE_LOOP(i, count) {
    const float v = from_element(x[i]);
    const float d = 1.0 + abs(v);
#ifdef BACKWARD
    dx[i] = to_element(from_element(dy[i]) / (d * d));
#else
    y[i] = to_element(v / d);
#endif
  }
}
