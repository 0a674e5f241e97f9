#include <algorithm>
#include <utility>
#include <vector>

#include "vkgpt/ops/grid.hpp"

#include "attention_backends.hpp"

namespace vkgpt::ops {
namespace {

/// How a kernel of attention.glsl cuts its work; the names are those of its macros.
struct Tiling {
  std::uint32_t lanes, rows, tile, split, broadcast;
};

Tiling choose_tiling(const vk::DeviceCaps& caps, std::int64_t HS, AttentionPass pass) {
  const bool forward = pass == AttentionPass::kForward;
  if (caps.is_cpu() && caps.min_subgroup_size == caps.max_subgroup_size && caps.subgroup_size >= 4) {
    // Registers of a lane are memory in the first cache: bounded by the time to compile (shaders/README.md).
    const std::uint32_t broadcast = caps.shader_int64 ? 2 : 1;
    if (HS <= 32) return {caps.subgroup_size, 2, forward ? 8u : 4u, 1, broadcast};
    if (HS <= 64) return {caps.subgroup_size, 2, forward ? 4u : 2u, 1, broadcast};
    return {caps.subgroup_size, forward ? 2u : 1u, 4, 1, broadcast};
  }
  const RegisterBudget budget = register_budget(caps);
  // A row is shared until its part, of two or of four tensors, leaves registers to spare.
  const std::int64_t most = forward ? 32 : 16;
  std::uint32_t split = 1;
  while (HS / split > most && HS % (8 * split) == 0 && 2 * split <= budget.subgroup) split *= 2;
  const bool holds_two_tiles = budget.registers > 128 || pass != AttentionPass::kBackwardKV;
  const std::uint32_t tile = forward ? 4 : holds_two_tiles ? 2 : 1;
  return {std::max<std::uint32_t>(32, caps.subgroup_size), 1, tile, split, 0};
}

}  // namespace

std::optional<plan::Dispatch> scalar_attention(const vk::DeviceCaps& caps, const AttentionWork& work) {
  const AttentionShape& shape = work.shape;
  const QkvHeads& heads = shape.heads;
  const Tiling tiling = choose_tiling(caps, heads.HS, work.pass);
  const std::uint64_t blocks =
      ceil_div(static_cast<std::uint64_t>(shape.T), tiling.lanes / tiling.split * tiling.rows);
  const std::uint64_t groups = blocks * static_cast<std::uint64_t>(work.slice.count * work.owners);
  const std::uint32_t subgroup = register_budget(caps).subgroup;
  std::vector<vk::Macro> macros = {{"HS", std::to_string(heads.HS)},
                                   {"LANES", std::to_string(tiling.lanes)},
                                   {"ROWS", std::to_string(tiling.rows)},
                                   {"TILE", std::to_string(tiling.tile)},
                                   {"SPLIT", std::to_string(tiling.split)},
                                   {"BROADCAST", std::to_string(tiling.broadcast)},
                                   {"QUADS", 4 * tiling.split <= subgroup ? "1" : "0"},
                                   dtype_macro(shape.dtype),
                                   {"WINDOW", shape.window < shape.T ? "1" : "0"},
                                   {"GROUPED", work.owners < heads.NH ? "1" : "0"}};
  return plan::Dispatch{.kernel = {.stem = work.stem(),
                                   .macros = std::move(macros),
                                   .subgroup_size = register_budget(caps).required_size},
                        .bindings = {},
                        .push = attention_push(work, blocks, groups),
                        .groups = fold_grid(caps, groups)};
}

}  // namespace vkgpt::ops
