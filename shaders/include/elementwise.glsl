// Element-wise kernels (ops/launch.hpp: `elementwise`). An invocation takes kItems elements, a workgroup apart, so
// that neighbouring invocations access neighbouring elements:
//   ELEMENTWISE_LOOP(i, count) { ... }
#include "grid.glsl"

layout(local_size_x_id = 0) in;
layout(constant_id = 1) const uint kItems = 4;

uint elementwise_first() { return grid_group() * gl_WorkGroupSize.x * kItems + gl_LocalInvocationID.x; }

#define ELEMENTWISE_LOOP(i, count)                                                                   \
  for (uint i = elementwise_first(), i##_end = min(count, i + kItems * gl_WorkGroupSize.x); i < i##_end; \
       i += gl_WorkGroupSize.x)
