#include <algorithm>
#include <array>

#include "ops/grid.hpp"
#include "ops/matmul/matmul_backends.hpp"
#include "ops/matmul/matmul_parts.hpp"

namespace vkgpt::ops {

using namespace plan;

namespace {

struct Tile {
  std::int64_t rows, columns, depth, part_rows, part_columns;
  double speed;  // of an invocation's multiplications, 1 for the largest parts

  std::int64_t sums() const { return part_rows * part_columns; }
  std::int64_t invocations() const { return rows * columns / sums(); }
  /// Two halves of a panel of A and one of B, whose rows are padded by 4.
  std::int64_t shared_bytes() const { return 2 * depth * (rows + columns + 8) * 4; }
};

// `speed` is a guess from the loads of shared memory for each multiplication, not yet measured on a GPU.
constexpr std::array kSimtTiles = {Tile{128, 128, 8, 8, 8, 1.0}, Tile{128, 64, 8, 8, 8, 0.95},
                                   Tile{128, 64, 16, 8, 4, 0.8}, Tile{64, 64, 8, 8, 4, 0.8},
                                   Tile{64, 64, 16, 4, 4, 0.55}, Tile{32, 32, 16, 4, 4, 0.45}};

bool fits(const vk::DeviceCaps& caps, const Tile& tile) {
  // 64 sums and what they are made of do not fit 128 registers.
  return tile.sums() < register_budget(caps).registers / 2 &&
         tile.shared_bytes() <= caps.shared_memory_bytes &&
         tile.invocations() <= std::min(caps.max_workgroup_invocations, caps.max_workgroup_size[0]);
}

struct Candidate {
  MatmulKernel kernel;
  double cost;
};

/// Time of a product by rounds in which every processor has invocations, in multiplications.
double cost_of(const vk::DeviceCaps& caps, const Extents& e, const Tile& tile, std::int64_t invocations,
               std::int64_t k_splits) {
  // CPU drivers take this backend only if told so, and build small kernels faster.
  if (caps.is_cpu()) return static_cast<double>(tile.rows * tile.columns);
  const std::int64_t full = invocations_to_fill(caps);
  const std::int64_t rounds = ceil_div(invocations * k_splits, full);
  // GPUs can do about 6 multiplications in the time of a byte.
  const std::int64_t sum_bytes = k_splits == 1 ? 0 : 8 * k_splits * e.m * e.n;
  return static_cast<double>(rounds * ceil_div(e.k, k_splits) * tile.sums()) / tile.speed +
         static_cast<double>(6 * sum_bytes) / static_cast<double>(full);
}

}  // namespace

std::vector<MatmulKernel> simt_kernels(const vk::DeviceCaps& caps, const Product& product, const Extents& e) {
  std::vector<Candidate> all;
  for (const Tile& tile : kSimtTiles) {
    if (!fits(caps, tile)) continue;
    const std::int64_t invocations =
        ceil_div(e.m, tile.rows) * ceil_div(e.n, tile.columns) * tile.invocations();
    const auto add = [&](std::int64_t k_splits) {
      all.push_back({{.backend = Backend::kSimt,
                      .rows = tile.rows,
                      .columns = tile.columns,
                      .depth = tile.depth,
                      .part_rows = tile.part_rows,
                      .part_columns = tile.part_columns,
                      .k_splits = k_splits},
                     cost_of(caps, e, tile, invocations, k_splits)});
    };
    add(1);
    const std::int64_t splits = k_splits_to_fill(caps, product, e, invocations);
    if (splits > 1) add(splits);
    if (splits > 3) add(splits / 2);
  }
  std::ranges::stable_sort(all, {}, &Candidate::cost);
  std::vector<MatmulKernel> kernels;
  for (const Candidate& candidate : all) kernels.push_back(candidate.kernel);
  return kernels;
}

void append_simt(PlanBuilder& builder, const Product& product, const Extents& extents,
                 const MatmulKernel& kernel) {
  const bool has_vectors = has_rows_of(product, 4);
  const KParts k_parts{.limit = extents.k, .splits = kernel.k_splits};
  append_parts(builder, product, extents, k_parts, [&](Dispatch& d, const Part& part) {
    d.kernel.stem += "_simt";
    d.kernel.macros.value("BM", kernel.rows)
        .value("BN", kernel.columns)
        .value("BK", kernel.depth)
        .value("TM", kernel.part_rows)
        .value("TN", kernel.part_columns)
        .value("VECTOR", has_vectors)
        .value("K_TAIL", part.has_k_tail(kernel.depth));
    d.kernel.subgroup_size = register_budget(builder.caps()).required_size;
    d.groups = tile_groups(part, kernel.rows, kernel.columns);
  });
}

}  // namespace vkgpt::ops
