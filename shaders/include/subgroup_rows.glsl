// Kernels in which a subgroup takes a row at a time (ops/launch.hpp: `subgroup_per_row`):
//   SUBGROUP_ROW_LOOP(row, rows) { ... }
// All lanes of a subgroup see the same row, and every row is visited whatever the subgroup size.
#extension GL_KHR_shader_subgroup_basic : require
#include "grid.glsl"

layout(local_size_x_id = 0) in;

#define SUBGROUP_ROW_LOOP(row, rows)                                               \
  for (uint row = grid_group() * gl_NumSubgroups + gl_SubgroupID; row < (rows); \
       row += gl_NumWorkGroups.x * gl_NumWorkGroups.y * gl_NumSubgroups)
