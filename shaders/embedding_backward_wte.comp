#version 460
#extension GL_GOOGLE_include_directive : require
#include "element.glsl"
#include "grid.glsl"

// dwte[token] += scale times the sum of dx over the token's positions. The workgroup of the first place of a run of equal
// tokens (ops::embedding_order) sums the run, the others exit. A run is cut into gl_WorkGroupSize.y
// interleaved parts, added in order.
layout(local_size_x_id = 0, local_size_y_id = 1) in;
layout(constant_id = 2) const uint kColumnGroups = 1;  // workgroups that share a run's columns

layout(push_constant) uniform Push {
  uint rows;
  uint C;
  uint wte_first;  // the slice's first row of dwte
  uint wte_count;  // and how many
  float scale;
};
layout(set = 0, binding = 0, std430) readonly buffer Sorted { uint sorted_rows[]; };  // (2, rows): positions, tokens
layout(set = 0, binding = 1, std430) readonly buffer DX { ELEMENT dx[]; };            // (rows, C)
layout(set = 0, binding = 2, std430) buffer DWte { float dwte[]; };                   // (wte_count, C)

shared float parts[gl_WorkGroupSize.x * gl_WorkGroupSize.y];

// The place after the last one of the run that starts at `first`.
uint run_end(uint first, uint token) {
  uint low = first + 1;
  uint high = rows;
  while (low < high) {
    const uint middle = (low + high) / 2;
    if (sorted_rows[rows + middle] == token) {
      low = middle + 1;
    } else {
      high = middle;
    }
  }
  return low;
}

void main() {
  const uint first = grid_group() / kColumnGroups;
  if (first >= rows) return;
  const uint token = sorted_rows[rows + first];
  if (first > 0 && sorted_rows[rows + first - 1] == token) return;
  const uint local = token - wte_first;
  if (local >= wte_count) return;
  const uint end = run_end(first, token);

  const uint part = gl_LocalInvocationID.y;
  for (uint start = grid_group() % kColumnGroups * gl_WorkGroupSize.x; start < C;
       start += kColumnGroups * gl_WorkGroupSize.x) {
    const uint c = start + gl_LocalInvocationID.x;
    float sum = 0.0;
    if (c < C) {
      for (uint place = first + part; place < end; place += gl_WorkGroupSize.y) {
        sum += from_element(dx[sorted_rows[place] * C + c]);
      }
    }
    if (gl_WorkGroupSize.y > 1) {
      barrier();  // the previous columns' parts are being read
      parts[part * gl_WorkGroupSize.x + gl_LocalInvocationID.x] = sum;
      barrier();
      for (uint p = 1; part == 0 && p < gl_WorkGroupSize.y; ++p) {
        sum += parts[p * gl_WorkGroupSize.x + gl_LocalInvocationID.x];
      }
    }
    if (part == 0 && c < C) dwte[local * C + c] += scale * sum;
  }
}
