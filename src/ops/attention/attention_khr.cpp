#include <algorithm>
#include <cstdint>
#include <numeric>
#include <optional>

#include "vkgpt/vk/subgroup_size.hpp"

#include "ops/attention/attention_backends.hpp"

namespace vkgpt::ops {
namespace {

/// How a kernel of attention_khr.glsl cuts its work; the names are those of its macros.
struct KhrTiling {
  vk::CooperativeMatrixShape frag;
  std::uint32_t subgroup;
  std::int64_t row_groups, ways, tile;
  bool own_registers;

  std::int64_t own() const { return row_groups * frag.m; }
  std::int64_t row_lanes() const { return subgroup * ways / frag.m; }
};

/// The largest shape of matrices that multiplies elements of `dtype` into f32 sums.
std::optional<vk::CooperativeMatrixShape> largest_shape(const vk::DeviceCaps& caps, DType dtype) {
  std::optional<vk::CooperativeMatrixShape> largest;
  for (const vk::CooperativeMatrixShape& shape : caps.cooperative_matrices) {
    if (shape.ab_type != dtype_name(dtype) || shape.result_type != "f32") continue;
    if (!largest || shape.m * shape.n * shape.k > largest->m * largest->n * largest->k) largest = shape;
  }
  return largest;
}

/// Bytes of shared memory that the kernel takes.
std::int64_t khr_shared_bytes(const KhrTiling& t, std::int64_t HS, AttentionPass pass) {
  const std::int64_t tile_row = 2 * (t.tile + 8), head_row = 2 * (HS + 8), score_row = 4 * (t.tile + 4);
  const std::int64_t plain = t.tile * head_row, transposed = HS * tile_row, own = t.own() * head_row;
  const std::int64_t scores = t.own() * (score_row + tile_row);
  switch (pass) {
    case AttentionPass::kForward:
      return scores + plain + transposed + 4 * t.own() * t.frag.n + (t.own_registers ? 0 : own);
    case AttentionPass::kBackwardQ:
      return scores + 2 * plain + transposed + (t.own_registers ? 0 : 2 * own);
    case AttentionPass::kBackwardKV:
      return scores + 2 * plain + 2 * transposed + std::int64_t{2} * t.frag.m * score_row +
             (t.own_registers ? 0 : 2 * own);
  }
  return 0;
}

bool fits(const vk::DeviceCaps& caps, const KhrTiling& t, std::int64_t HS, AttentionPass pass) {
  const std::int64_t invocations = t.subgroup * t.row_groups * t.ways;
  return HS % t.frag.k == 0 && HS % (t.ways * t.frag.n) == 0 && t.subgroup * t.ways % t.frag.m == 0 &&
         t.frag.m % t.ways == 0 && t.tile % (4 * t.row_lanes()) == 0 &&
         (t.own() % t.tile == 0 || t.tile % t.own() == 0) && invocations <= caps.max_workgroup_invocations &&
         invocations <= caps.max_workgroup_size[0] &&
         khr_shared_bytes(t, HS, pass) <= caps.shared_memory_bytes;
}

/// Subgroups that share rows of the result, so that it takes half of the registers, or a quarter where there
/// are few.
std::int64_t ways_of(std::int64_t HS, const vk::CooperativeMatrixShape& frag, const RegisterBudget& budget,
                     std::int64_t subgroup, AttentionPass pass) {
  const std::int64_t tensors = pass == AttentionPass::kBackwardKV ? 2 : 1;
  const std::int64_t held = HS * tensors * frag.m / subgroup;  // words of an invocation
  const std::int64_t registers = std::int64_t{budget.registers} * budget.subgroup / subgroup;
  // Beside the queries a forward holds no whole result of heads above 128.
  std::int64_t ways = pass == AttentionPass::kForward && HS > 128 && HS % (2 * frag.n) == 0 ? 2 : 1;
  const std::int64_t part = budget.registers > 128 ? 2 : 4;
  while (held / ways > registers / part && HS % (2 * ways * frag.n) == 0) ways *= 2;
  return ways;
}

/// 64 rows a workgroup, those of one matrix a subgroup, where registers and shared memory allow it.
std::optional<KhrTiling> khr_tiling(const vk::DeviceCaps& caps, std::int64_t HS, DType dtype,
                                    AttentionPass pass) {
  const std::optional<vk::CooperativeMatrixShape> frag = largest_shape(caps, dtype);
  if (!frag || !caps.shader_f16 || !vk::knows_subgroup_size(caps)) return std::nullopt;
  const RegisterBudget budget = register_budget(caps);
  const bool is_small = budget.registers <= 128;
  // Intel's: 32 invocations leave a matrix too few registers, 8 are not for all devices.
  const std::uint32_t subgroup =
      is_small ? std::clamp(16U, caps.min_subgroup_size, caps.max_subgroup_size) : caps.subgroup_size;
  const std::int64_t ways = ways_of(HS, *frag, budget, subgroup, pass);
  const std::int64_t least_tile = std::lcm(ways * frag->n, frag->k);
  const bool holds = !is_small && (HS <= 64 || pass == AttentionPass::kForward);
  // Of heads above 128 AMD's compiler spills what is held beside the results.
  for (const bool own_registers : {holds && HS <= 128, holds}) {
    for (std::int64_t row_groups = caps.is_cpu() ? 2 : 4; row_groups > 0; row_groups /= 2) {
      for (const std::int64_t wanted : {std::int64_t{caps.is_cpu() ? 16 : 32}, least_tile}) {
        KhrTiling tiling{.frag = *frag,
                         .subgroup = subgroup,
                         .row_groups = row_groups,
                         .ways = ways,
                         .tile = std::lcm(least_tile, wanted),
                         .own_registers = own_registers};
        if (fits(caps, tiling, HS, pass)) return tiling;
      }
    }
  }
  return std::nullopt;
}

}  // namespace

std::optional<plan::Dispatch> khr_attention(const vk::DeviceCaps& caps, const AttentionWork& work) {
  if (work.drops) return std::nullopt;
  const std::int64_t HS = work.shape.heads.HS;
  const std::optional<KhrTiling> tiling = khr_tiling(caps, HS, work.shape.dtype, work.pass);
  if (!tiling) return std::nullopt;
  return attention_dispatch(caps, work, "_khr", tiling->own(), tiling->subgroup,
                            plan::Macros{}
                                .value("SUBGROUP", tiling->subgroup)
                                .value("ROW_GROUPS", tiling->row_groups)
                                .value("WAYS", tiling->ways)
                                .value("FRAG_M", tiling->frag.m)
                                .value("FRAG_N", tiling->frag.n)
                                .value("FRAG_K", tiling->frag.k)
                                .value("TILE", tiling->tile)
                                .value("OWN_REGISTERS", tiling->own_registers));
}

}  // namespace vkgpt::ops
