#include "vkgpt/ops/attention.hpp"

#include <algorithm>
#include <initializer_list>
#include <numeric>
#include <string>
#include <utility>
#include <vector>

#include "vkgpt/core/check.hpp"
#include "vkgpt/ops/grid.hpp"
#include "vkgpt/ops/launch.hpp"
#include "vkgpt/ops/step_params.hpp"

namespace vkgpt::ops {
namespace {

using plan::PushWords;
using plan::read;
using plan::read_write;
using plan::write;

constexpr std::int64_t kMaxHeadSize = 128;

std::uint64_t to_unsigned(std::int64_t value) {
  return static_cast<std::uint64_t>(value);
}

struct AttentionShape {
  std::int64_t B, T, C, NH, HS;

  /// What one product over all (query, key) pairs of a causal sequence costs, such as q k^T.
  std::uint64_t product_flops() const { return to_unsigned(T * (T + 1) * C); }
};

AttentionShape shape_of(const plan::Tensor& qkv, std::int64_t T, std::int64_t n_head) {
  const std::int64_t C = qkv.shape.back() / 3;
  VKGPT_CHECK(n_head > 0 && qkv.shape.back() == 3 * C && C % n_head == 0, "qkv {} for {} heads",
              qkv.shape.to_string(), n_head);
  const std::int64_t HS = C / n_head;
  VKGPT_CHECK(HS <= kMaxHeadSize && HS % 4 == 0, "head size {}", HS);
  return {qkv.shape.rows() / T, T, C, n_head, HS};
}

/// qkv (B, T, 3C).
AttentionShape shape_of(const plan::Tensor& qkv, std::int64_t n_head) {
  VKGPT_CHECK(qkv.shape.rank() == 3, "qkv {}", qkv.shape.to_string());
  return shape_of(qkv, qkv.shape[1], n_head);
}

void check_shape(const plan::Tensor& t, const Shape& shape) {
  VKGPT_CHECK(t.shape == shape, "{} where {} is due", t.shape.to_string(), shape.to_string());
}

/// Runs of whole sequences, each with every tensor (`elements` 32-bit words per sequence) at an aligned
/// offset and within what a descriptor covers, and, as far as alignment lets it, with no more work than a
/// slow device does well within a submission's time.
std::vector<Slice> sequence_slices(const vk::DeviceCaps& caps, std::int64_t B, std::uint64_t flops,
                                   std::initializer_list<std::int64_t> elements) {
  const std::uint64_t max_range = std::min<std::uint64_t>(caps.max_storage_buffer_range, 1ull << 32);
  const std::uint64_t max_flops = caps.is_cpu() ? 500'000'000 : 5'000'000'000;
  std::uint64_t granule = 1;  // sequences
  std::uint64_t bindable = to_unsigned(B);
  for (const std::int64_t count : elements) {
    const std::uint64_t bytes = to_unsigned(count) * sizeof(float);
    granule =
        std::lcm(granule, caps.storage_buffer_alignment / std::gcd(caps.storage_buffer_alignment, bytes));
    bindable = std::min(bindable, max_range / bytes);
  }
  const std::uint64_t wanted = std::max(granule, max_flops / std::max<std::uint64_t>(flops, 1));
  std::uint64_t step = std::min(wanted, bindable);
  if (step < to_unsigned(B)) step = step / granule * granule;
  VKGPT_CHECK(step > 0,
              "{} sequences are the least that start at aligned offsets, but {} fit a binding of {} bytes",
              granule, bindable, max_range);
  std::vector<Slice> slices;
  for (std::int64_t first = 0; first < B; first += static_cast<std::int64_t>(step)) {
    slices.push_back({first, std::min(static_cast<std::int64_t>(step), B - first)});
  }
  return slices;
}

/// The sequences of `slice` of a tensor whose sequences have `elements` words.
plan::Binding sequences(plan::Binding whole, std::int64_t elements, Slice slice) {
  return matrix_rows(whole, elements, slice);
}

std::uint32_t required_subgroup(const vk::DeviceCaps& caps) {
  return caps.subgroup_size_control ? caps.subgroup_size : 0;
}

std::uint32_t least_subgroup(const vk::DeviceCaps& caps) {
  return caps.subgroup_size_control ? caps.subgroup_size : caps.min_subgroup_size;
}

enum class Pass { kForward, kBackward };

/// How a kernel of attention.glsl cuts its work; the names are those of its macros.
struct Tiling {
  std::uint32_t lanes, rows, tile, split, broadcast;
};

Tiling choose_tiling(const vk::DeviceCaps& caps, std::int64_t HS, Pass pass) {
  const bool forward = pass == Pass::kForward;
  if (caps.is_cpu() && caps.min_subgroup_size == caps.max_subgroup_size && caps.subgroup_size >= 4) {
    // Registers of a lane are memory in the first cache: bounded by the time to compile (shaders/README.md).
    const std::uint32_t broadcast = caps.shader_int64 ? 2 : 1;
    if (HS <= 32) return {caps.subgroup_size, 2, forward ? 8u : 4u, 1, broadcast};
    if (HS <= 64) return {caps.subgroup_size, 2, forward ? 4u : 2u, 1, broadcast};
    return {caps.subgroup_size, forward ? 2u : 1u, 4, 1, broadcast};
  }
  // A row is shared until its part, of two or of four tensors, leaves registers to spare.
  const std::int64_t most = forward ? 32 : 16;
  std::uint32_t split = 1;
  while (HS / split > most && HS % (8 * split) == 0 && 2 * split <= least_subgroup(caps)) split *= 2;
  return {std::max<std::uint32_t>(32, caps.subgroup_size), 1, forward ? 4u : 2u, split, 0};
}

/// A kernel of attention.glsl over the sequences of a slice, without bindings.
plan::Dispatch tiled(const vk::DeviceCaps& caps, std::string stem, const AttentionShape& shape, Slice slice,
                     Pass pass) {
  const Tiling tiling = choose_tiling(caps, shape.HS, pass);
  const std::uint64_t heads = to_unsigned(slice.count * shape.NH);
  const std::uint64_t blocks = ceil_div(to_unsigned(shape.T), tiling.lanes / tiling.split * tiling.rows);
  std::vector<vk::Macro> macros = {
      {"HS", std::to_string(shape.HS)},        {"LANES", std::to_string(tiling.lanes)},
      {"ROWS", std::to_string(tiling.rows)},   {"TILE", std::to_string(tiling.tile)},
      {"SPLIT", std::to_string(tiling.split)}, {"BROADCAST", std::to_string(tiling.broadcast)}};
  return {
      .kernel = {.stem = std::move(stem),
                 .macros = std::move(macros),
                 .subgroup_size = required_subgroup(caps)},
      .bindings = {},
      .push =
          PushWords{}.u32(to_unsigned(shape.T)).u32(to_unsigned(shape.NH)).u32(blocks).u32(blocks * heads),
      .groups = fold_grid(caps, blocks * heads)};
}

}  // namespace

void attention_forward(plan::PlanBuilder& builder, const AttentionForward& args) {
  const AttentionShape shape = shape_of(args.qkv, args.n_head);
  const auto [B, T, C, NH, HS] = shape;
  check_shape(args.out, {B, T, C});
  check_shape(args.lse, {B, NH, T});
  const std::uint64_t flops = 2 * shape.product_flops();
  for (const Slice slice : sequence_slices(builder.caps(), B, flops, {3 * T * C, T * C, NH * T})) {
    plan::Dispatch dispatch = tiled(builder.caps(), "attention_forward", shape, slice, Pass::kForward);
    dispatch.bindings = {sequences(read(args.qkv), 3 * T * C, slice),
                         sequences(write(args.out), T * C, slice), sequences(write(args.lse), NH * T, slice)};
    dispatch.cost.flops = flops * to_unsigned(slice.count);
    builder.dispatch(std::move(dispatch));
  }
}

void attention_backward(plan::PlanBuilder& builder, const AttentionBackward& args) {
  const AttentionShape shape = shape_of(args.qkv, args.n_head);
  const auto [B, T, C, NH, HS] = shape;
  check_shape(args.dout, {B, T, C});
  check_shape(args.out, {B, T, C});
  check_shape(args.lse, {B, NH, T});
  check_shape(args.dqkv, args.qkv.shape);
  const vk::DeviceCaps& caps = builder.caps();
  const plan::Tensor row_sums = builder.transient("attention_row_sums", {B, NH, T});
  const std::vector<Slice> slices =
      sequence_slices(caps, B, 4 * shape.product_flops(), {3 * T * C, T * C, NH * T});

  for (const Slice slice : slices) {
    plan::Dispatch dispatch = elementwise(caps, "attention_backward_row_sums", slice.count * T * NH,
                                          {{"HS", std::to_string(HS)}}, 1);
    dispatch.bindings = {sequences(read(args.dout), T * C, slice), sequences(read(args.out), T * C, slice),
                         sequences(write(row_sums), NH * T, slice)};
    dispatch.push = PushWords{}.u32(to_unsigned(slice.count * T)).u32(to_unsigned(T)).u32(to_unsigned(NH));
    dispatch.cost.flops = 2 * to_unsigned(slice.count * T * C);
    builder.dispatch(std::move(dispatch));
  }
  // Both write parts of dqkv that the other leaves alone.
  for (const auto& [stem, products] :
       {std::pair{"attention_backward_dq", 3u}, {"attention_backward_dkv", 4u}}) {
    for (const Slice slice : slices) {
      plan::Dispatch dispatch = tiled(caps, stem, shape, slice, Pass::kBackward);
      dispatch.bindings = {sequences(read(args.dout), T * C, slice),
                           sequences(read(args.qkv), 3 * T * C, slice),
                           sequences(read(args.lse), NH * T, slice), sequences(read(row_sums), NH * T, slice),
                           sequences(write(args.dqkv), 3 * T * C, slice)};
      dispatch.cost.flops = products * shape.product_flops() * to_unsigned(slice.count);
      builder.dispatch(std::move(dispatch));
    }
  }
}

void attention_cache_fill(plan::PlanBuilder& builder, const AttentionCacheFill& args) {
  const auto [B, T, C, NH, HS] = shape_of(args.qkv, args.n_head);
  VKGPT_CHECK(args.k_cache.shape.rank() == 4, "cache {}", args.k_cache.shape.to_string());
  const std::int64_t T_max = args.k_cache.shape[2];
  check_shape(args.k_cache, {B, NH, T_max, HS});
  check_shape(args.v_cache, args.k_cache.shape);
  VKGPT_CHECK(T <= T_max, "{} positions for a cache of {}", T, T_max);
  for (const Slice slice : sequence_slices(builder.caps(), B, 0, {3 * T * C, T_max * C})) {
    const std::int64_t count = slice.count * T * C / 4;
    plan::Dispatch dispatch =
        elementwise(builder.caps(), "attention_cache_fill", count, {{"HS", std::to_string(HS)}});
    dispatch.bindings = {sequences(read(args.qkv), 3 * T * C, slice),
                         sequences(write(args.k_cache), T_max * C, slice),
                         sequences(write(args.v_cache), T_max * C, slice)};
    dispatch.push =
        PushWords{}.u32(to_unsigned(count)).u32(to_unsigned(T)).u32(to_unsigned(T_max)).u32(to_unsigned(NH));
    dispatch.cost.bytes = 4 * to_unsigned(slice.count * T * C) * sizeof(float);
    builder.dispatch(std::move(dispatch));
  }
}

void attention_decode(plan::PlanBuilder& builder, const AttentionDecode& args) {
  const auto [B, T, C, NH, HS] = shape_of(args.qkv, 1, args.n_head);
  VKGPT_CHECK(args.k_cache.shape.rank() == 4, "cache {}", args.k_cache.shape.to_string());
  VKGPT_CHECK(args.out.shape.rows() == B && args.out.shape.back() == C, "out {} for qkv {}",
              args.out.shape.to_string(), args.qkv.shape.to_string());
  const std::int64_t T_max = args.k_cache.shape[2];
  check_shape(args.k_cache, {B, NH, T_max, HS});
  check_shape(args.v_cache, args.k_cache.shape);
  const vk::DeviceCaps& caps = builder.caps();
  const std::uint32_t lanes = std::min<std::uint32_t>(4, subgroups_per_workgroup(caps)) * caps.subgroup_size;
  const std::uint64_t flops = 4 * to_unsigned(T_max * C);
  for (const Slice slice : sequence_slices(caps, B, flops, {3 * C, T_max * C, C})) {
    const std::uint64_t heads = to_unsigned(slice.count * NH);
    plan::Dispatch dispatch{.kernel = {.stem = "attention_decode",
                                       .macros = {{"HS", std::to_string(HS)},
                                                  {"LANES", std::to_string(lanes)},
                                                  {"MIN_SUBGROUP", std::to_string(least_subgroup(caps))}},
                                       .subgroup_size = required_subgroup(caps)},
                            .bindings = {sequences(read(args.qkv), 3 * C, slice), read(step_params(builder)),
                                         sequences(read_write(args.k_cache), T_max * C, slice),
                                         sequences(read_write(args.v_cache), T_max * C, slice),
                                         sequences(write(args.out), C, slice)},
                            .push = PushWords{}.u32(to_unsigned(T_max)).u32(to_unsigned(NH)).u32(heads),
                            .groups = fold_grid(caps, heads),
                            .cost = {.flops = flops * to_unsigned(slice.count)}};
    builder.dispatch(std::move(dispatch));
  }
}

}  // namespace vkgpt::ops
