#version 460
#extension GL_GOOGLE_include_directive : require
#extension GL_KHR_shader_subgroup_basic : require
#include "element.glsl"
#include "gate.glsl"
#include "subgroup_rows.glsl"

// y = act(gate) * up with x = [gate | up], a row by each subgroup.
layout(push_constant) uniform Push {
  uint rows;
  uint F;
};
layout(set = 0, binding = 0, std430) readonly buffer X { ELEMENT x[]; };   // (rows, 2F)
layout(set = 0, binding = 1, std430) writeonly buffer Y { ELEMENT y[]; };  // (rows, F)

void main() {
  SUBGROUP_ROW_LOOP(row, rows) {
    const uint first = 2 * row * F;
    for (uint c = gl_SubgroupInvocationID; c < F; c += gl_SubgroupSize) {
      y[row * F + c] = to_element(gate(from_element(x[first + c])) * from_element(x[first + F + c]));
    }
  }
}
