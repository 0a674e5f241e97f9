// First stage of sums over the rows of a matrix (src/ops/column_sums.hpp): an invocation owns a column of a block of
// rows,
//   const ColumnPart part = column_part(rows, columns, blocks, rows_per_block);
//   if (!part.is_inside) return;
//   for (uint row = part.first; row < part.end; ++row) sum += x[row * columns + part.column];
#include "grid.glsl"

layout(local_size_x_id = 0) in;

struct ColumnPart {
  bool is_inside;
  uint block;
  uint column;
  uint first;  // row
  uint end;
};

ColumnPart column_part(uint rows, uint columns, uint blocks, uint rows_per_block) {
  const uint column_groups = (columns + gl_WorkGroupSize.x - 1) / gl_WorkGroupSize.x;
  const uint block = grid_group() / column_groups;
  const uint column = grid_group() % column_groups * gl_WorkGroupSize.x + gl_LocalInvocationID.x;
  const uint first = block * rows_per_block;
  return ColumnPart(block < blocks && column < columns, block, column, first, min(rows, first + rows_per_block));
}
