#include <algorithm>
#include <array>

#include "ops/matmul/matmul_backends.hpp"
#include "ops/matmul/matmul_parts.hpp"

namespace vkgpt::ops {

using namespace plan;

namespace {

/// Elements of C that an invocation has at least; fewer make each load serve too few products.
constexpr std::int64_t kElements = 32;
constexpr std::int64_t kMaxInvocations = 256;

bool divides(const vk::FlexibleMatrixShape& shape, const MatmulKernel& kernel) {
  return kernel.rows % shape.m == 0 && kernel.columns % shape.n == 0 && kernel.depth % shape.k == 0;
}

/// The matrices that a kernel is made of, at workgroup scope: as many invocations as leave each of them
/// enough to do; at subgroup scope where there is no other. Null where the device has none that divide its
/// tile.
const vk::FlexibleMatrixShape* shape_of(const vk::DeviceCaps& caps, DType dtype, const MatmulKernel& kernel) {
  const std::int64_t most =
      std::min<std::int64_t>({kMaxInvocations, caps.cooperative_matrix2->max_workgroup_invocations,
                              kernel.rows * kernel.columns / kElements});
  const vk::FlexibleMatrixShape* found = nullptr;
  for (const vk::FlexibleMatrixShape& shape : caps.cooperative_matrix2->shapes) {
    const bool is_ours = shape.ab_type == dtype_name(dtype) && shape.result_type == "f32";
    const bool is_of_workgroup = shape.invocations != 0;
    if (!is_ours || is_of_workgroup != has_workgroup_matrices(caps) || !divides(shape, kernel)) continue;
    if (is_of_workgroup && shape.invocations > most) continue;
    if (found == nullptr || shape.invocations > found->invocations) found = &shape;
  }
  return found;
}

constexpr MatmulKernel tile(std::int64_t rows, std::int64_t columns, std::int64_t depth) {
  return {Backend::kNv, rows, columns, depth};
}

/// Tiles at workgroup scope, for large products first; and at subgroup scope, for drivers without that.
constexpr std::array kWorkgroupTiles = {tile(128, 256, 64), tile(256, 128, 64), tile(128, 128, 64),
                                        tile(64, 128, 64),  tile(64, 64, 64),   tile(32, 64, 32)};
/// The same for weight gradients: more tiles need fewer parts of K, whose sums are written and read again.
constexpr std::array kWeightTiles = {tile(128, 128, 64), tile(128, 256, 64), tile(256, 128, 64),
                                     tile(64, 128, 64),  tile(64, 64, 64),   tile(32, 64, 32)};
constexpr std::array kSubgroupTiles = {tile(16, 16, 8), tile(32, 32, 16)};

}  // namespace

std::vector<MatmulKernel> nv_kernels(const vk::DeviceCaps& caps, const Product& product, const Extents& e) {
  if (dtype_size(product.a.dtype) != 2 || e.m == 1 || product.b.blocks) return {};
  std::vector<MatmulKernel> usable;
  const auto add_from = [&](const auto& tiles) {
    std::ranges::copy_if(tiles, std::back_inserter(usable), [&](const MatmulKernel& kernel) {
      return shape_of(caps, product.a.dtype, kernel) != nullptr &&
             std::max({kernel.rows, kernel.columns, kernel.depth}) <= caps.cooperative_matrix2->max_dimension;
    });
  };
  if (!has_workgroup_matrices(caps)) {
    add_from(kSubgroupTiles);
  } else {
    add_from(product.transposition == Transposition::kTN ? kWeightTiles : kWorkgroupTiles);
  }
  return with_k_splits(caps, product, e, usable);
}

void append_nv(PlanBuilder& builder, const Product& product, const Extents& extents,
               const MatmulKernel& kernel) {
  const vk::DeviceCaps& caps = builder.caps();
  const vk::FlexibleMatrixShape& shape = *shape_of(caps, product.a.dtype, kernel);
  const bool is_of_workgroup = shape.invocations != 0;
  const bool is_wide = has_rows_of(product, 8);
  const KParts k_parts{.limit = extents.k, .splits = kernel.k_splits};
  append_parts(builder, product, extents, k_parts, [&](Dispatch& d, const Part& part) {
    d.kernel.stem += "_nv";
    d.kernel.macros.value("BM", kernel.rows)
        .value("BN", kernel.columns)
        .value("BK", kernel.depth)
        .value("INVOCATIONS", is_of_workgroup ? shape.invocations : caps.subgroup_size)
        .value("WORKGROUP", is_of_workgroup)
        .value("GRANULARITY_N", shape.n)
        .value("WIDE", is_wide)
        .value("TAILS", part.m.count % kernel.rows != 0 || part.n.count % kernel.columns != 0 ||
                            part.has_k_tail(kernel.depth));
    d.kernel.subgroup_size = caps.subgroup_size;
    d.groups = tile_groups(part, kernel.rows, kernel.columns);
  });
}

}  // namespace vkgpt::ops
