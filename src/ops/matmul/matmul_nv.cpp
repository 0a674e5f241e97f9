#include <algorithm>
#include <array>
#include <string>

#include "ops/matmul/matmul_backends.hpp"
#include "ops/matmul/matmul_parts.hpp"

namespace vkgpt::ops {

using namespace plan;

namespace {

/// Elements of C that an invocation has at least; fewer make each load serve too few products.
constexpr std::uint32_t kElements = 32;
constexpr std::uint32_t kMaxInvocations = 256;

bool divides(const vk::FlexibleMatrixShape& shape, const MatmulKernel& kernel) {
  return kernel.rows % shape.m == 0 && kernel.columns % shape.n == 0 && kernel.depth % shape.k == 0;
}

/// The matrices that a kernel is made of: of a workgroup as large as leaves each invocation enough to do, or
/// of a subgroup where there are none of workgroups; null where the device has none that divide its tile.
const vk::FlexibleMatrixShape* shape_of(const vk::DeviceCaps& caps, DType dtype, const MatmulKernel& kernel) {
  const std::uint32_t most = std::min({kMaxInvocations, caps.cooperative_matrix2->max_workgroup_invocations,
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

constexpr MatmulKernel tile(std::uint32_t rows, std::uint32_t columns, std::uint32_t depth) {
  return {Backend::kNv, rows, columns, depth};
}

/// Tiles of workgroups, for large products first; and of a subgroup, for drivers without those.
constexpr std::array kTiles = {tile(128, 256, 64), tile(256, 128, 64), tile(128, 128, 64),
                               tile(64, 128, 64),  tile(64, 64, 64),   tile(32, 64, 32)};
constexpr std::array kSubgroupTiles = {tile(16, 16, 8), tile(32, 32, 16)};

}  // namespace

std::vector<MatmulKernel> nv_kernels(const vk::DeviceCaps& caps, const Product& product, const Extents& e) {
  if (dtype_size(product.a.dtype) != 2 || e.m == 1) return {};
  std::vector<MatmulKernel> usable;
  const auto add_from = [&](const auto& tiles) {
    std::ranges::copy_if(tiles, std::back_inserter(usable), [&](const MatmulKernel& kernel) {
      return shape_of(caps, product.a.dtype, kernel) != nullptr &&
             std::max({kernel.rows, kernel.columns, kernel.depth}) <= caps.cooperative_matrix2->max_dimension;
    });
  };
  has_workgroup_matrices(caps) ? add_from(kTiles) : add_from(kSubgroupTiles);
  return with_k_splits(caps, product, e, usable);
}

void append_nv(PlanBuilder& builder, const Product& product, const Extents& extents,
               const MatmulKernel& kernel) {
  const vk::DeviceCaps& caps = builder.caps();
  const vk::FlexibleMatrixShape& shape = *shape_of(caps, product.a.dtype, kernel);
  const bool is_of_workgroup = shape.invocations != 0;
  const bool is_wide =
      product.a.shape.back() % 8 == 0 && product.b.shape.back() % 8 == 0 && product.c.shape.back() % 8 == 0;
  Product nv = product;
  nv.stem += "_nv";
  const KParts k_parts{.limit = extents.k, .splits = kernel.k_splits};
  append_parts(builder, nv, extents, k_parts, [&](Dispatch& d, const Part& part) {
    const auto add = [&](const char* name, std::uint32_t value) { d.kernel.macros.value(name, value); };
    add("BM", kernel.rows);
    add("BN", kernel.columns);
    add("BK", kernel.depth);
    add("INVOCATIONS", is_of_workgroup ? shape.invocations : caps.subgroup_size);
    add("WORKGROUP", is_of_workgroup);
    add("GRANULARITY_N", shape.n);
    add("WIDE", is_wide);
    add("TAILS", part.m.count % kernel.rows != 0 || part.n.count % kernel.columns != 0 ||
                     part.k.count % kernel.depth != 0);
    d.kernel.subgroup_size = caps.subgroup_size;
    d.groups = tile_groups(part, kernel);
  });
}

}  // namespace vkgpt::ops
