#include <algorithm>
#include <cstdint>
#include <numeric>
#include <optional>

#include "ops/attention/attention_backends.hpp"

namespace vkgpt::ops {
namespace {

/// Of larger heads llvmpipe compiles no backward; other backends have them.
constexpr std::int64_t kMaxNvHeadSize = 128;

/// How a kernel of attention_nv.glsl cuts its work; the names are those of its macros.
struct NvTiling {
  bool workgroup;
  std::uint32_t subgroup;  // required size of a subgroup
  std::int64_t lanes, own, tile, columns;
};

/// The granularity of matrices of `dtype`: at workgroup scope for the smallest workgroup, or at subgroup
/// scope on a device without that.
std::optional<vk::FlexibleMatrixShape> matrix_shape(const vk::DeviceCaps& caps, DType dtype) {
  std::optional<vk::FlexibleMatrixShape> found;
  for (const vk::FlexibleMatrixShape& shape : caps.cooperative_matrix2->shapes) {
    const bool is_of_workgroup = shape.invocations != 0;
    if (shape.ab_type != dtype_name(dtype) || shape.result_type != "f32") continue;
    if (is_of_workgroup != has_workgroup_matrices(caps)) continue;
    if (!found || shape.invocations < found->invocations) found = shape;
  }
  return found;
}

/// Bytes of shared memory that the kernel takes.
std::int64_t nv_shared_bytes(const NvTiling& t, std::int64_t HS, AttentionPass pass) {
  const std::int64_t tiles = 2 * t.tile * 2 * (HS + 8);
  return tiles + (pass == AttentionPass::kForward ? 4 * t.own * t.columns : 8 * std::max(t.own, t.tile));
}

/// Rows that a workgroup owns, where shared memory has room: 64, but 32 where two results of heads above 64
/// would take the registers. A subgroup has 16, and in the forward one fragment's: what llvmpipe reduces by
/// rows is wrong from the second fragment of rows on.
std::int64_t most_rows(const vk::FlexibleMatrixShape& shape, std::int64_t HS, AttentionPass pass) {
  if (shape.invocations == 0) return pass == AttentionPass::kForward ? shape.m : 16;
  return pass == AttentionPass::kBackwardKV && HS > 64 ? 32 : 64;
}

std::optional<NvTiling> nv_tiling(const vk::DeviceCaps& caps, std::int64_t HS, DType dtype,
                                  AttentionPass pass) {
  if (!caps.shader_f16 || !caps.cooperative_matrix2 || !caps.cooperative_matrix2->reductions)
    return std::nullopt;
  const vk::CooperativeMatrix2& matrices = *caps.cooperative_matrix2;
  const std::optional<vk::FlexibleMatrixShape> shape = matrix_shape(caps, dtype);
  if (!shape || HS > kMaxNvHeadSize || HS % shape->k != 0 || HS % shape->n != 0) return std::nullopt;
  const bool workgroup = shape->invocations != 0;
  const std::int64_t shared =
      caps.shared_memory_bytes - (workgroup ? matrices.reserved_shared_memory_bytes : 0);
  for (std::int64_t rows = most_rows(*shape, HS, pass); rows >= 8; rows /= 2) {
    const std::int64_t own = std::lcm(rows, shape->m);
    const NvTiling tiling{.workgroup = workgroup,
                          .subgroup = caps.subgroup_size,
                          .lanes = workgroup ? shape->invocations : caps.subgroup_size,
                          .own = own,
                          .tile = std::lcm(std::lcm(own, 16), std::lcm(shape->n, shape->k)),
                          .columns = shape->n};
    if (nv_shared_bytes(tiling, HS, pass) <= shared && std::max(tiling.tile, HS) <= matrices.max_dimension) {
      return tiling;
    }
  }
  return std::nullopt;
}

}  // namespace

std::optional<plan::Dispatch> nv_attention(const vk::DeviceCaps& caps, const AttentionWork& work) {
  if (work.drops) return std::nullopt;
  const std::int64_t HS = work.shape.heads.HS;
  const std::optional<NvTiling> tiling = nv_tiling(caps, HS, work.shape.dtype, work.pass);
  if (!tiling) return std::nullopt;
  return attention_dispatch(caps, work, "_nv", tiling->own, tiling->subgroup,
                            plan::Macros{}
                                .value("WORKGROUP", tiling->workgroup)
                                .value("LANES", tiling->lanes)
                                .value("OWN", tiling->own)
                                .value("TILE", tiling->tile)
                                .value("COLUMNS", tiling->columns));
}

}  // namespace vkgpt::ops
