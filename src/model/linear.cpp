#include "model/linear.hpp"

#include <string>
#include <vector>

#include "vkgpt/core/check.hpp"
#include "vkgpt/ops/adapter_select.hpp"
#include "vkgpt/ops/cast.hpp"
#include "vkgpt/ops/dropout.hpp"
#include "vkgpt/ops/matmul/matmul.hpp"

namespace vkgpt::model {

using plan::PlanBuilder;
using plan::Tensor;

namespace {

Tensor scaled(PlanBuilder& builder, const Tensor& t, std::string_view name, double scale) {
  const Tensor result = builder.transient(name, t.shape, t.dtype);
  ops::cast(builder, t, result, static_cast<float>(scale));
  return result;
}

/// What an adapter reads.
Tensor dropped(PlanBuilder& builder, const Tensor& x, std::string_view name, const Lora& lora) {
  if (lora.dropout == 0) return x;
  const Tensor kept = builder.transient(name, x.shape, x.dtype);
  ops::dropout(builder, x, kept, {.p = lora.dropout, .site = lora.site});
  return kept;
}

/// y += what each row's adapter makes of x.
void add_chosen_adapters(PlanBuilder& builder, const StackedTensors& stacked, const Tensor& x,
                         const Tensor& y, const Tensor& adapters, ops::ByRows by_rows) {
  const auto scope = builder.scope("adapters");
  const Tensor hidden = builder.transient("hidden", with_width(x, stacked.a.shape[0]), x.dtype);
  ops::linear_forward(builder, {.x = x, .weight = stacked.a, .y = hidden, .by_rows = by_rows});
  ops::adapter_select(builder, hidden, stacked.owners, adapters);
  ops::linear_forward(builder,
                      {.x = hidden, .weight = stacked.b, .y = y, .accumulate = true, .by_rows = by_rows});
}

/// Gradients of the layer's own weight and bias.
void backward_weight(PlanBuilder& builder, const LinearTensors& dparams, const Tensor& x, const Tensor& dy,
                     const Shape& weight) {
  if (!dparams.weight && !dparams.bias) return;
  Tensor dweight;
  if (dparams.weight) {
    dweight = dparams.weight->values;
  } else {
    // Only the bias is trained: the sums come with a product that nobody needs.
    dweight = builder.transient("frozen_dweight", weight);
    builder.discard(dweight);
  }
  ops::linear_backward_weight(builder, {.dy = dy, .x = x, .dweight = dweight, .dbias = dparams.bias});
}

}  // namespace

Shape with_width(const Tensor& t, std::int64_t width) {
  std::vector<std::int64_t> dims(t.shape.dims().begin(), t.shape.dims().end());
  dims.back() = width;
  return Shape(std::move(dims));
}

LinearActivations linear_forward(PlanBuilder& builder, const LinearTensors& params, const Tensor& x,
                                 std::string_view name, const Lora& lora, ops::ByRows by_rows) {
  LinearActivations saved{.x = x,
                          .y = builder.transient(name, with_width(x, params.weight->shape[0]), x.dtype)};
  ops::linear_forward(
      builder, {.x = x, .weight = *params.weight, .bias = params.bias, .y = saved.y, .by_rows = by_rows});
  if (params.lora_a) {
    const auto scope = builder.scope("lora");
    const Tensor hidden = builder.transient("hidden", with_width(x, params.lora_a->shape[0]), x.dtype);
    const Tensor kept = dropped(builder, x, "kept", lora);
    ops::linear_forward(builder, {.x = kept, .weight = *params.lora_a, .y = hidden, .by_rows = by_rows});
    saved.lora_hidden = scaled(builder, hidden, "scaled", lora.scale);
    ops::linear_forward(builder, {.x = *saved.lora_hidden,
                                  .weight = *params.lora_b,
                                  .y = saved.y,
                                  .accumulate = true,
                                  .by_rows = by_rows});
  }
  if (params.stacked) add_chosen_adapters(builder, *params.stacked, x, saved.y, *lora.adapters, by_rows);
  return saved;
}

void linear_backward(PlanBuilder& builder, const LinearTensors& params, const LinearTensors& dparams,
                     const LinearActivations& saved, const Tensor& dy, const Tensor& dx, const Lora& lora,
                     bool accumulate) {
  const bool drops = saved.lora_hidden && lora.dropout > 0;
  if (!drops) {
    ops::linear_backward_input(builder,
                               {.dy = dy, .weight = *params.weight, .dx = dx, .accumulate = accumulate});
  }
  backward_weight(builder, dparams, saved.x, dy, params.weight->shape);
  if (!saved.lora_hidden) return;
  const auto scope = builder.scope("lora");
  const Tensor dhidden = builder.transient("dhidden", saved.lora_hidden->shape, dy.dtype);
  ops::linear_backward_input(builder, {.dy = dy, .weight = *params.lora_b, .dx = dhidden});
  const Tensor dscaled = scaled(builder, dhidden, "dscaled", lora.scale);
  backward_weight(builder, {.weight = dparams.lora_b}, *saved.lora_hidden, dy, params.lora_b->shape);
  backward_weight(builder, {.weight = dparams.lora_a}, dropped(builder, saved.x, "kept", lora), dscaled,
                  params.lora_a->shape);
  if (!drops) {
    ops::linear_backward_input(builder,
                               {.dy = dscaled, .weight = *params.lora_a, .dx = dx, .accumulate = true});
    return;
  }
  // The adapter's part is dropped as its input was, so it comes first.
  VKGPT_CHECK(!accumulate, "dropout of adapters in parallel blocks");
  const Tensor dkept = builder.transient("dkept", dx.shape, dx.dtype);
  ops::linear_backward_input(builder, {.dy = dscaled, .weight = *params.lora_a, .dx = dkept});
  ops::dropout(builder, dkept, dx, {.p = lora.dropout, .site = lora.site});
  ops::linear_backward_input(builder, {.dy = dy, .weight = *params.weight, .dx = dx, .accumulate = true});
}

void linear_backward_params(PlanBuilder& builder, const LinearTensors& params, const LinearTensors& dparams,
                            const Tensor& x, const Tensor& dy) {
  backward_weight(builder, dparams, x, dy, params.weight->shape);
}

}  // namespace vkgpt::model
