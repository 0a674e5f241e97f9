// Kernels in which a workgroup of kSubgroups subgroups reduces together (ops/launch.hpp: `workgroups`). The
// order of every reduction is fixed. CPU drivers get one subgroup a workgroup: then no barrier is compiled.
#include "grid.glsl"

layout(local_size_x_id = 0) in;
layout(constant_id = 1) const uint kSubgroups = 1;

shared float workgroup_parts[kSubgroups];

// All invocations get the sum over the workgroup; all must call it.
float workgroup_sum(float value) {
  float total = subgroupAdd(value);
  if (kSubgroups == 1) return total;
  barrier();  // an earlier reduction may still be reading the parts
  if (gl_SubgroupInvocationID == 0) workgroup_parts[gl_SubgroupID] = total;
  barrier();
  total = workgroup_parts[0];
  for (uint s = 1; s < kSubgroups; ++s) total += workgroup_parts[s];
  return total;
}

// All invocations get the largest value of the workgroup; all must call it.
float workgroup_max(float value) {
  float largest = subgroupMax(value);
  if (kSubgroups == 1) return largest;
  barrier();
  if (gl_SubgroupInvocationID == 0) workgroup_parts[gl_SubgroupID] = largest;
  barrier();
  largest = workgroup_parts[0];
  for (uint s = 1; s < kSubgroups; ++s) largest = max(largest, workgroup_parts[s]);
  return largest;
}
