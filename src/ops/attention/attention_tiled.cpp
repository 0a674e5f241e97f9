#include <algorithm>
#include <utility>
#include <vector>

#include "vkgpt/core/check.hpp"

#include "ops/attention/attention_backends.hpp"
#include "ops/grid.hpp"

namespace vkgpt::ops {
namespace {

/// How a kernel of attention.glsl cuts its work; the names are those of its macros.
struct Tiling {
  std::int64_t lanes, rows, tile, split, broadcast;
  std::int64_t panel = 0;  // rows of the other side in shared memory
  bool held = true;        // the invocations' own rows in registers
  bool kept = true;        // the tile's rows in registers from the scores to the sums
};

constexpr std::int64_t kByAddress = 4;

/// Elements of a row, in fours, that an invocation has where `split` of them share it.
std::int64_t part_of(std::int64_t HS, std::int64_t split) {
  return ceil_div(HS / 4, split) * 4;
}

/// Parts of at most `most` elements into which neighbouring invocations share a row.
std::int64_t split_of(std::int64_t HS, std::int64_t most, std::int64_t subgroup) {
  std::int64_t split = 1;
  while (part_of(HS, split) > most && 2 * split <= std::min(subgroup, HS / 4)) split *= 2;
  return split;
}

/// Registers of an invocation of the backward, about as many as Intel's compiler finds alive at once.
std::int64_t registers_of(const Tiling& tiling, const AttentionWork& work) {
  const bool is_kv = work.pass == AttentionPass::kBackwardKV;
  const std::int64_t HS = work.shape.heads.HS, part = part_of(HS, tiling.split);
  const bool is_even = HS / 4 % tiling.split == 0;
  const std::int64_t sums = tiling.rows * ((is_kv ? 2 : 1) * part + 2 * tiling.tile);
  const std::int64_t own = tiling.held ? 2 * tiling.rows * part : is_even ? 10 : 18;
  // A kept tile's elements and their addresses, else what is on its way.
  const std::int64_t tile = tiling.kept ? tiling.tile * ((is_kv ? 2 : 1) * part + part / 2) + 2
                                        : 10 * tiling.tile + (is_even ? 4 : 8);
  const std::int64_t rest = 20 + (work.shape.window < work.shape.T ? 2 : 0) + (work.confined ? 2 : 0) +
                            (!work.drops ? 0
                             : is_kv     ? 12
                                         : 4);
  return sums + own + tile + rest;
}

/// The backward, where a subgroup is too small, or has too few registers, to share rows as finely as it would
/// take: its tiles are read twice, then own rows lie in shared memory.
void spare_registers(Tiling& tiling, const vk::DeviceCaps& caps, const AttentionWork& work) {
  const std::int64_t registers = register_budget(caps).registers;
  if (work.pass == AttentionPass::kForward || registers_of(tiling, work) <= registers) return;
  tiling.kept = false;
  tiling.rows = 1;
  tiling.tile = std::min<std::int64_t>(tiling.tile, 2);
  if (registers_of(tiling, work) <= registers) return;
  tiling.held = false;
  for (tiling.tile = 4; tiling.tile > 1 && registers_of(tiling, work) > registers;) tiling.tile /= 2;
  const std::int64_t HS = work.shape.heads.HS, element = dtype_size(work.shape.dtype);
  const auto shared_bytes = [&] {
    return 2 * element * (tiling.panel * HS + tiling.lanes * part_of(HS, tiling.split));
  };
  while (shared_bytes() > caps.shared_memory_bytes && tiling.lanes > 32) tiling.lanes /= 2;
}

Tiling scalar_tiling(const vk::DeviceCaps& caps, const AttentionWork& work) {
  const std::int64_t HS = work.shape.heads.HS;
  const AttentionPass pass = work.pass;
  const bool forward = pass == AttentionPass::kForward;
  // SwiftShader, of subgroups of 4, compiles a row of 128 in one lane for minutes and fails at one of 256.
  const bool fits_a_lane = caps.subgroup_size >= (HS <= 64 ? 4 : 8);
  if (caps.is_cpu() && caps.min_subgroup_size == caps.max_subgroup_size && fits_a_lane) {
    // Registers of a lane are memory in the first cache: bounded by the time to compile (shaders/README.md).
    const bool is_by_address = caps.buffer_device_address && work.shape.dtype == DType::kF32;
    const std::int64_t broadcast = is_by_address ? kByAddress : caps.shader_int64 ? 2 : 1;
    if (HS <= 32) return {caps.subgroup_size, 2, forward ? 8 : 4, 1, broadcast};
    if (HS <= 64) return {caps.subgroup_size, 2, forward ? 4 : 2, 1, broadcast};
    if (HS <= 128) return {caps.subgroup_size, forward ? 2 : 1, 4, 1, broadcast};
    return {caps.subgroup_size, 1, forward ? 4 : 2, 1, broadcast};
  }
  const RegisterBudget budget = register_budget(caps);
  // A row is shared until its part, of two or of four tensors, leaves registers to spare.
  const std::int64_t most = forward ? 32 : 16;
  const std::int64_t split = split_of(HS, most, budget.subgroup);
  const bool holds_two_tiles = budget.registers > 128 || pass != AttentionPass::kBackwardKV;
  const std::int64_t tile = forward ? 4 : holds_two_tiles ? 2 : 1;
  Tiling tiling{std::max<std::uint32_t>(32, caps.subgroup_size), 1, tile, split, 0};
  spare_registers(tiling, caps, work);
  return tiling;
}

/// A panel element that is read from shared memory serves several products, in rows or in the tile, as far as
/// registers allow.
Tiling simt_tiling(const vk::DeviceCaps& caps, const AttentionWork& work) {
  constexpr std::int64_t kPanelBytes = 8192;  // of each of the two, so that several groups find room
  const AttentionShape& shape = work.shape;
  const AttentionPass pass = work.pass;
  const std::int64_t HS = shape.heads.HS;
  const RegisterBudget budget = register_budget(caps);
  Tiling tiling{.lanes = std::min<std::uint32_t>(128, caps.max_workgroup_invocations),
                .rows = 1,
                .tile = 4,
                .split = 1,
                .broadcast = 3,
                .panel = 32};
  std::int64_t most = 32;  // elements of a part
  if (budget.registers > 128) {
    tiling.rows = pass == AttentionPass::kBackwardKV ? 1 : 2;
    tiling.tile = pass == AttentionPass::kBackwardQ ? 2 : 4;
    most = pass == AttentionPass::kBackwardKV ? 8 : 16;
  } else {
    if (pass != AttentionPass::kForward) tiling.tile = pass == AttentionPass::kBackwardQ ? 2 : 1;
    if (pass != AttentionPass::kForward || dtype_size(shape.dtype) == 2) most = 16;
    if (pass == AttentionPass::kBackwardKV && work.drops) most = 8;  // beside the draws
  }
  tiling.split = split_of(HS, most, budget.subgroup);
  const std::int64_t row_bytes = HS * dtype_size(shape.dtype);
  while (tiling.panel > tiling.tile && tiling.panel * row_bytes > kPanelBytes) tiling.panel /= 2;
  spare_registers(tiling, caps, work);
  return tiling;
}

/// The bindings of the matrices that pass by: k and v, or q and dout (`attention.cpp`).
std::vector<std::uint32_t> tile_bindings(AttentionPass pass) {
  switch (pass) {
    case AttentionPass::kForward:
      return {0, 0};
    case AttentionPass::kBackwardQ:
      return {1, 1};
    case AttentionPass::kBackwardKV:
      return {1, 0};
  }
  VKGPT_CHECK(false, "pass {}", static_cast<int>(pass));
}

plan::Dispatch tiled(const vk::DeviceCaps& caps, const AttentionWork& work, const Tiling& tiling) {
  const RegisterBudget budget = register_budget(caps);
  plan::Macros macros = plan::Macros{}
                            .value("LANES", tiling.lanes)
                            .value("ROWS", tiling.rows)
                            .value("TILE", tiling.tile)
                            .value("SPLIT", tiling.split)
                            .value("BROADCAST", tiling.broadcast)
                            .value("HELD", tiling.held)
                            .value("KEPT", tiling.kept)
                            .value("QUADS", 4 * tiling.split <= budget.subgroup);
  if (tiling.panel > 0) macros.value("PANEL", tiling.panel);
  plan::Dispatch dispatch = attention_dispatch(caps, work, "", tiling.lanes / tiling.split * tiling.rows,
                                               budget.required_size, std::move(macros));
  if (tiling.broadcast == kByAddress) dispatch.addresses = tile_bindings(work.pass);
  return dispatch;
}

}  // namespace

std::optional<plan::Dispatch> scalar_attention(const vk::DeviceCaps& caps, const AttentionWork& work) {
  return tiled(caps, work, scalar_tiling(caps, work));
}

std::optional<plan::Dispatch> simt_attention(const vk::DeviceCaps& caps, const AttentionWork& work) {
  return tiled(caps, work, simt_tiling(caps, work));
}

}  // namespace vkgpt::ops
