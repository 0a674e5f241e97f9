#include "vkgpt/ops/attention/attention.hpp"

#include <algorithm>
#include <array>
#include <numeric>
#include <optional>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "vkgpt/core/check.hpp"
#include "vkgpt/core/format.hpp"
#include "vkgpt/ops/launch.hpp"
#include "vkgpt/ops/step_params.hpp"
#include "vkgpt/plan/limits.hpp"

#include "ops/attention/attention_backends.hpp"
#include "ops/attention/qkv_heads.hpp"
#include "ops/grid.hpp"
#include "ops/product_flops.hpp"

namespace vkgpt::ops {
namespace {

using plan::PushWords;
using plan::read;
using plan::write;

/// qkv (B, T, (NH + 2 NKV) HS).
AttentionShape shape_of(const plan::Tensor& qkv, std::int64_t n_head, std::int64_t n_kv_head,
                        std::int64_t window) {
  VKGPT_CHECK(qkv.shape.rank() == 3, "qkv {}", qkv.shape.to_string());
  VKGPT_CHECK(window >= 0, "a window of {}", window);
  const std::int64_t T = qkv.shape[1];
  return {qkv.shape[0], T, qkv_heads(qkv, n_head, n_kv_head), window == 0 ? T : std::min(window, T),
          qkv.dtype};
}

/// Runs of whole sequences, each with every tensor (`extents` of a sequence) at an aligned offset and within
/// what a descriptor covers and, as far as alignment lets it, with no more work than a slow device does well
/// within a submission's time.
std::vector<Slice> sequence_slices(const vk::DeviceCaps& caps, std::int64_t B, std::int64_t flops,
                                   std::span<const Extent> extents) {
  constexpr std::int64_t kWordBytes = 16;  // of what kernels read at a time
  const std::int64_t max_range = max_binding_bytes(caps);
  const std::int64_t max_flops =
      caps.is_cpu() ? max_dispatch_flops(caps) / 8 : max_product_flops(caps, extents.front().dtype);
  const auto alignment = std::max<std::int64_t>(kWordBytes, caps.storage_buffer_alignment);
  std::int64_t granule = 1;  // sequences
  std::int64_t bindable = B;
  for (const Extent& extent : extents) {
    const std::int64_t bytes = extent.bytes();
    VKGPT_CHECK(bytes > 0);
    // NOLINTNEXTLINE(clang-analyzer-core.DivideZero): the alignment is at least 16
    granule = std::lcm(granule, alignment / std::gcd(alignment, bytes));
    bindable = std::min(bindable, max_range / bytes);
  }
  const std::int64_t wanted = std::max(granule, max_flops / std::max<std::int64_t>(flops, 1));
  std::int64_t step = std::min(wanted, bindable);
  if (step < B) step = step / granule * granule;
  plan::check_fits(step > 0,
                   "attention takes {} sequences at once, but {} fit the {} bytes that the device binds",
                   granule, bindable, max_range);
  std::vector<Slice> slices;
  for (std::int64_t first = 0; first < B; first += step) slices.push_back({first, std::min(step, B - first)});
  return slices;
}

/// The sequences of `slice` of a tensor.
plan::Binding sequences(plan::Binding whole, const Extent& extent, Slice slice) {
  return matrix_rows(whole, extent.elements, slice, extent.dtype);
}

/// A backend's kernels, over the sequences of a slice.
struct AttentionBackend {
  Backend backend;
  std::optional<plan::Dispatch> (*dispatch)(const vk::DeviceCaps&, const AttentionWork&);
};

constexpr std::array kAttentionBackends = {
    AttentionBackend{Backend::kScalar, scalar_attention},
    AttentionBackend{Backend::kSimt, simt_attention},
    AttentionBackend{Backend::kKhr, khr_attention},
    AttentionBackend{Backend::kNv, nv_attention},
};

/// A pass by the first backend that can do it, without bindings.
plan::Dispatch dispatch_of(const vk::Target& target, const AttentionWork& work) {
  for (const Backend backend : backend_order(target, "attention", work.shape.dtype)) {
    const auto of = std::ranges::find(kAttentionBackends, backend, &AttentionBackend::backend);
    VKGPT_CHECK(of != kAttentionBackends.end(), "no attention by {}", vk::backend_name(backend));
    if (std::optional<plan::Dispatch> dispatch = of->dispatch(target.caps, work)) return *std::move(dispatch);
  }
  VKGPT_CHECK(false, "no kernel of attention for heads of {}", work.shape.heads.HS);
}

/// The bytes of a sequence of what confines attention to documents.
Extent document_extent(std::int64_t T) {
  return {T, DType::kI32};
}

/// What a pass reads and writes of a sequence.
std::vector<Extent> extents_of(const AttentionShape& shape, const std::optional<Documents>& documents) {
  std::vector<Extent> extents = {shape.qkv(), shape.out(), shape.row_values()};
  if (documents) extents.push_back(document_extent(shape.T));
  return extents;
}

void check_documents(const std::optional<Documents>& documents, const AttentionShape& shape) {
  if (!documents) return;
  check_tensor(documents->positions, {shape.B, shape.T}, DType::kI32);
  check_tensor(documents->ends, {shape.B, shape.T}, DType::kI32);
}

/// Makes a dispatch over `slice`, with its bindings, stay inside documents.
void confine(plan::Dispatch& dispatch, const std::optional<Documents>& documents, AttentionPass pass,
             const AttentionShape& shape, Slice slice) {
  if (!documents) return;
  const plan::Tensor& limits = pass == AttentionPass::kBackwardKV ? documents->ends : documents->positions;
  add_binding(dispatch, "DOCUMENTS", sequences(read(limits), document_extent(shape.T), slice));
}

/// Makes a dispatch over `slice`, with its bindings, drop probabilities.
void drop_probabilities(plan::PlanBuilder& builder, plan::Dispatch& dispatch, const AttentionShape& shape,
                        Slice slice, const Dropout& dropout) {
  VKGPT_CHECK(dropout.p >= 0 && dropout.p < 1 && dropout.site < 1U << 24, "dropout {} at site {}", dropout.p,
              dropout.site);
  if (dropout.p == 0) return;
  plan::check_fits(shape.B * shape.heads.NH * shape.T < 1LL << 32, "{} rows of attention exceed 32-bit words",
                   shape.B * shape.heads.NH * shape.T);
  add_binding(dispatch, "DROPOUT", read(step_params(builder)));
  const std::vector<std::uint32_t> words =
      PushWords{}.u32(slice.first, dropout.site).f32(dropout.p, 1.0 / (1.0 - dropout.p));
  dispatch.push.insert(dispatch.push.end(), words.begin(), words.end());
}

}  // namespace

void check_tensor(const plan::Tensor& t, const Shape& shape, DType dtype) {
  VKGPT_CHECK(t.shape == shape && t.dtype == dtype, "{} {} where {} {} is due", dtype_name(t.dtype),
              t.shape.to_string(), dtype_name(dtype), shape.to_string());
}

std::string AttentionWork::stem() const {
  switch (pass) {
    case AttentionPass::kForward:
      return "attention_forward";
    case AttentionPass::kBackwardQ:
      return "attention_backward_dq";
    case AttentionPass::kBackwardKV:
      return "attention_backward_dkv";
  }
  VKGPT_CHECK(false, "pass {}", static_cast<int>(pass));
}

plan::Dispatch attention_dispatch(const vk::DeviceCaps& caps, const AttentionWork& work,
                                  std::string_view suffix, std::int64_t rows, std::uint32_t subgroup_size,
                                  plan::Macros macros) {
  const AttentionShape& shape = work.shape;
  const std::int64_t blocks = ceil_div(shape.T, rows);
  const std::int64_t groups = blocks * work.slice.count * work.owners;
  macros.value("HS", shape.heads.HS)
      .dtype("DTYPE", shape.dtype)
      .value("WINDOW", shape.window < (work.cache ? work.cache->T_max : shape.T))
      .value("GROUPED", work.owners < shape.heads.NH);
  if (work.cache) macros.value("CACHED", 1).dtype("ROWS_DTYPE", work.cache->rows);
  plan::Dispatch dispatch = {
      .kernel = {.stem = work.stem() + std::string(suffix),
                 .macros = std::move(macros),
                 .subgroup_size = subgroup_size},
      .bindings = {},
      .push = plan::PushWords{}.u32(shape.T, shape.heads.NH, blocks, groups, shape.heads.NKV, shape.window),
      .groups = fold_grid(caps, groups)};
  if (work.cache) {
    for (const std::int64_t word : {work.cache->T_max, work.cache->slots})
      dispatch.push.push_back(static_cast<std::uint32_t>(word));
  }
  return dispatch;
}

void attention_forward(plan::PlanBuilder& builder, const AttentionForward& args) {
  const vk::DeviceCaps& caps = builder.caps();
  const AttentionShape shape = shape_of(args.qkv, args.n_head, args.n_kv_head, args.window);
  const auto& [B, T, heads, window, dtype] = shape;
  check_tensor(args.out, {B, T, heads.C()}, dtype);
  check_tensor(args.lse, {B, heads.NH, T});
  const Extent qkv = shape.qkv(), out = shape.out(), row_values = shape.row_values();
  check_documents(args.documents, shape);
  const std::int64_t flops = 2 * shape.product_flops();
  for (const Slice slice : sequence_slices(caps, B, flops, extents_of(shape, args.documents))) {
    plan::Dispatch dispatch = dispatch_of(builder.target(), {shape, slice, AttentionPass::kForward, heads.NH,
                                                             args.dropout.p > 0, args.documents.has_value()});
    dispatch.bindings = {sequences(read(args.qkv), qkv, slice), sequences(write(args.out), out, slice),
                         sequences(write(args.lse), row_values, slice)};
    confine(dispatch, args.documents, AttentionPass::kForward, shape, slice);
    drop_probabilities(builder, dispatch, shape, slice, args.dropout);
    dispatch.cost.flops = flops * slice.count;
    builder.dispatch(std::move(dispatch));
  }
}

void attention_backward(plan::PlanBuilder& builder, const AttentionBackward& args) {
  const vk::DeviceCaps& caps = builder.caps();
  const AttentionShape shape = shape_of(args.qkv, args.n_head, args.n_kv_head, args.window);
  const auto& [B, T, heads, window, dtype] = shape;
  check_tensor(args.dout, {B, T, heads.C()}, dtype);
  check_tensor(args.out, {B, T, heads.C()}, dtype);
  check_tensor(args.lse, {B, heads.NH, T});
  check_tensor(args.dqkv, args.qkv.shape, dtype);
  const Extent qkv = shape.qkv(), out = shape.out(), row_values = shape.row_values();
  check_documents(args.documents, shape);
  const plan::Tensor row_sums = builder.transient("attention_row_sums", {B, heads.NH, T});
  const std::vector<Slice> slices =
      sequence_slices(caps, B, 4 * shape.product_flops(), extents_of(shape, args.documents));

  for (const Slice slice : slices) {
    plan::Dispatch dispatch =
        elementwise(caps, "attention_backward_row_sums", slice.count * row_values.elements,
                    plan::Macros{}.value("HS", heads.HS).dtype("DTYPE", dtype), 1);
    dispatch.bindings = {sequences(read(args.dout), out, slice), sequences(read(args.out), out, slice),
                         sequences(write(row_sums), row_values, slice)};
    dispatch.push = PushWords{}.u32(slice.count * T, T, heads.NH);
    dispatch.cost.flops = 2 * slice.count * out.elements;
    builder.dispatch(std::move(dispatch));
  }
  // Both write parts of dqkv that the other leaves alone.
  struct Part {
    AttentionPass pass;
    std::int64_t owners;
    std::int64_t products;
  };
  for (const auto& [pass, owners, products] :
       {Part{AttentionPass::kBackwardQ, heads.NH, 3}, {AttentionPass::kBackwardKV, heads.NKV, 4}}) {
    for (const Slice slice : slices) {
      plan::Dispatch dispatch = dispatch_of(
          builder.target(), {shape, slice, pass, owners, args.dropout.p > 0, args.documents.has_value()});
      dispatch.bindings = {sequences(read(args.dout), out, slice), sequences(read(args.qkv), qkv, slice),
                           sequences(read(args.lse), row_values, slice),
                           sequences(read(row_sums), row_values, slice),
                           sequences(write(args.dqkv), qkv, slice)};
      confine(dispatch, args.documents, pass, shape, slice);
      drop_probabilities(builder, dispatch, shape, slice, args.dropout);
      // Of dqkv, each writes its owners' rows alone.
      const std::int64_t written = (pass == AttentionPass::kBackwardQ ? 1 : 2) * T * owners * heads.HS;
      dispatch.cost = {.flops = products * shape.product_flops() * slice.count,
                       .bytes = slice.count * (out.bytes() + qkv.bytes() + 2 * row_values.bytes() +
                                               written * dtype_size(dtype))};
      builder.dispatch(std::move(dispatch));
    }
  }
}

}  // namespace vkgpt::ops
