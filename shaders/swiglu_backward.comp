#version 460
#extension GL_GOOGLE_include_directive : require
#extension GL_KHR_shader_subgroup_basic : require
#include "element.glsl"
#include "gate.glsl"
#include "subgroup_rows.glsl"

// With x = [gate | up]: dgate = dy * up * act'(gate), dup = dy * act(gate), a row by each subgroup.
layout(push_constant) uniform Push {
  uint rows;
  uint F;
};
layout(set = 0, binding = 0, std430) readonly buffer DY { ELEMENT dy[]; };   // (rows, F)
layout(set = 0, binding = 1, std430) readonly buffer X { ELEMENT x[]; };     // (rows, 2F)
layout(set = 0, binding = 2, std430) writeonly buffer DX { ELEMENT dx[]; };  // (rows, 2F)

void main() {
  SUBGROUP_ROW_LOOP(row, rows) {
    const uint first = 2 * row * F;
    for (uint c = gl_SubgroupInvocationID; c < F; c += gl_SubgroupSize) {
      const float d = from_element(dy[row * F + c]);
      const vec2 s = gate_with_grad(from_element(x[first + c]));
      dx[first + c] = to_element(d * from_element(x[first + F + c]) * s.y);
      dx[first + F + c] = to_element(d * s.x);
    }
  }
}
