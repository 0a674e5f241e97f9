#include <algorithm>
#include <array>
#include <string>
#include <utility>

#include "ops/grid.hpp"
#include "ops/matmul/matmul_backends.hpp"
#include "ops/matmul/matmul_parts.hpp"

namespace vkgpt::ops {

using namespace plan;

namespace {

struct Tile {
  std::uint32_t rows, columns, depth, part_rows, part_columns;
  double speed;  // of an invocation's multiplications, that of the largest parts being 1

  std::uint32_t sums() const { return part_rows * part_columns; }
  std::uint32_t invocations() const { return rows * columns / sums(); }
  /// Two halves of a panel of A and one of B, whose rows are padded by 4.
  std::uint32_t shared_bytes() const { return 2 * depth * (rows + columns + 8) * 4; }
};

// What `speed` says is loads of shared memory for each multiplication, not yet measured on a GPU.
constexpr std::array kTiles = {Tile{128, 128, 8, 8, 8, 1.0}, Tile{128, 64, 8, 8, 8, 0.95},
                               Tile{128, 64, 16, 8, 4, 0.8}, Tile{64, 64, 8, 8, 4, 0.8},
                               Tile{64, 64, 16, 4, 4, 0.55}, Tile{32, 32, 16, 4, 4, 0.45}};

bool fits(const vk::DeviceCaps& caps, const Tile& tile) {
  // 64 sums and what they are made of do not fit 128 registers.
  return tile.sums() < register_budget(caps).registers / 2 &&
         tile.shared_bytes() <= caps.shared_memory_bytes &&
         tile.invocations() <= std::min(caps.max_workgroup_invocations, caps.max_workgroup_size[0]);
}

std::uint64_t groups_of(std::int64_t extent, std::uint32_t size) {
  return ceil_div(static_cast<std::uint64_t>(extent), size);
}

struct Candidate {
  MatmulKernel kernel;
  double cost;
};

/// Time of a product by rounds in which every processor has invocations, in multiplications.
double cost_of(const vk::DeviceCaps& caps, const Extents& e, const Tile& tile, std::uint64_t invocations,
               std::uint32_t k_splits) {
  const double k = static_cast<double>(groups_of(e.k, k_splits));
  // CPU drivers take this backend only if told so, and build small kernels faster.
  if (caps.is_cpu()) return tile.rows * tile.columns;
  const auto rounds = static_cast<double>(ceil_div(invocations * k_splits, invocations_to_fill(caps)));
  // About 6 multiplications a byte is what GPUs can do.
  const double sum_bytes = k_splits == 1 ? 0 : 8.0 * k_splits * static_cast<double>(e.m * e.n);
  return rounds * k * tile.sums() / tile.speed +
         6 * sum_bytes / static_cast<double>(invocations_to_fill(caps));
}

}  // namespace

std::vector<MatmulKernel> simt_kernels(const vk::DeviceCaps& caps, const Product& product, const Extents& e) {
  std::vector<Candidate> all;
  for (const Tile& tile : kTiles) {
    if (!fits(caps, tile)) continue;
    const std::uint64_t invocations =
        groups_of(e.m, tile.rows) * groups_of(e.n, tile.columns) * tile.invocations();
    const auto add = [&](std::uint32_t k_splits) {
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
    const std::uint32_t splits = k_splits_to_fill(caps, product, e, invocations);
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
  Product simt = product;
  simt.stem += "_simt";
  const bool has_vectors = std::ranges::all_of(std::array{product.a, product.b, product.c},
                                               [](const Tensor& t) { return t.shape.back() % 4 == 0; });
  const KParts k_parts{.limit = extents.k, .splits = kernel.k_splits};
  append_parts(builder, simt, extents, k_parts, [&](Dispatch& d, const Part& part) {
    const auto add = [&](const char* name, std::uint32_t value) { d.kernel.macros.value(name, value); };
    add("BM", kernel.rows);
    add("BN", kernel.columns);
    add("BK", kernel.depth);
    add("TM", kernel.part_rows);
    add("TN", kernel.part_columns);
    add("VECTOR", has_vectors);
    add("K_TAIL", part.k.count % kernel.depth != 0);
    d.kernel.subgroup_size = register_budget(builder.caps()).required_size;
    d.groups = {static_cast<std::uint32_t>(groups_of(part.n.count, kernel.columns)),
                static_cast<std::uint32_t>(groups_of(part.m.count, kernel.rows)), 1};
  });
}

}  // namespace vkgpt::ops
