// Dispatches that need more than 65535 workgroups are folded over x and y (see ops/grid.hpp).

// Index of this workgroup in the folded one-dimensional grid.
uint grid_group() { return gl_WorkGroupID.y * gl_NumWorkGroups.x + gl_WorkGroupID.x; }

// Index of this invocation in the folded one-dimensional grid. A macro, so that gl_WorkGroupSize is read where
// it is used: glslang takes it as 1 in a function that stands before `layout(local_size_x...)`.
#define grid_invocation() (grid_group() * gl_WorkGroupSize.x + gl_LocalInvocationID.x)
