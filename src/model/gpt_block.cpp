#include "vkgpt/model/gpt_block.hpp"

#include <string>
#include <vector>

#include "vkgpt/ops/matmul.hpp"
#include "vkgpt/ops/norm.hpp"

namespace vkgpt::model {

using plan::PlanBuilder;
using plan::Tensor;

namespace {

/// The shape of `t` with another last dimension.
Shape with_width(const Tensor& t, std::int64_t width) {
  std::vector<std::int64_t> dims(t.shape.dims().begin(), t.shape.dims().end());
  dims.back() = width;
  return Shape(std::move(dims));
}

LinearTensors linear_tensors(PlanBuilder& builder, const GptParams& params, const Tensor& arena,
                             const std::string& name) {
  return {params.view(builder, arena, name + ".weight"), params.view(builder, arena, name + ".bias")};
}

Tensor linear(PlanBuilder& builder, const LinearTensors& params, const Tensor& x, std::string_view name) {
  const Tensor y = builder.transient(name, with_width(x, params.weight.shape[0]));
  ops::linear_forward(builder, {.x = x, .weight = params.weight, .bias = params.bias, .y = y});
  return y;
}

/// dx = dy W, and the gradients of weight and bias.
Tensor linear_backward(PlanBuilder& builder, const LinearTensors& params, const LinearTensors& dparams,
                       const Tensor& x, const Tensor& dy, std::string_view name) {
  const Tensor dx = builder.transient(name, x.shape);
  ops::linear_backward_input(builder, {.dy = dy, .weight = params.weight, .dx = dx});
  ops::linear_backward_weight(builder, {.dy = dy, .x = x, .dweight = dparams.weight, .dbias = dparams.bias});
  return dx;
}

}  // namespace

NormTensors norm_tensors(PlanBuilder& builder, const GptParams& params, const Tensor& arena,
                         const std::string& name) {
  return {params.view(builder, arena, name + ".weight"), params.view(builder, arena, name + ".bias")};
}

BlockTensors block_tensors(PlanBuilder& builder, const GptParams& params, const Tensor& arena,
                           std::int64_t layer) {
  const std::string h = "h." + std::to_string(layer);
  return {.ln_1 = norm_tensors(builder, params, arena, h + ".ln_1"),
          .c_attn = linear_tensors(builder, params, arena, h + ".attn.c_attn"),
          .attn_c_proj = linear_tensors(builder, params, arena, h + ".attn.c_proj"),
          .ln_2 = norm_tensors(builder, params, arena, h + ".ln_2"),
          .c_fc = linear_tensors(builder, params, arena, h + ".mlp.c_fc"),
          .mlp_c_proj = linear_tensors(builder, params, arena, h + ".mlp.c_proj")};
}

NormActivations stream_norm(PlanBuilder& builder, const NormTensors& params, const Stream& stream,
                            float eps) {
  const Tensor y = builder.transient("norm", stream.x.shape);
  const Tensor mean = builder.transient("mean", {stream.x.shape.rows()});
  const Tensor rstd = builder.transient("rstd", {stream.x.shape.rows()});
  ops::NormForward args{.x = stream.x,
                        .weight = params.weight,
                        .bias = params.bias,
                        .y = y,
                        .mean = mean,
                        .rstd = rstd,
                        .eps = eps};
  NormActivations saved{stream.x, y, mean, rstd};
  if (stream.branch) {
    saved.x = builder.transient("residual", stream.x.shape);
    args.residual = ops::NormResidual{*stream.branch, saved.x};
  }
  ops::norm_forward(builder, args);
  return saved;
}

void stream_norm_backward(PlanBuilder& builder, const NormTensors& params, const NormTensors& dparams,
                          const NormActivations& saved, const Tensor& dy, const Tensor& dstream,
                          bool accumulate) {
  ops::norm_backward(builder, {.dy = dy,
                               .x = saved.x,
                               .weight = params.weight,
                               .mean = saved.mean,
                               .rstd = saved.rstd,
                               .dx = dstream,
                               .dweight = dparams.weight,
                               .dbias = dparams.bias,
                               .accumulate = accumulate});
}

BlockActivations block_forward(PlanBuilder& builder, const BlockTensors& params, const Stream& in,
                               const Attend& attend, float eps) {
  BlockActivations saved;
  {
    const auto scope = builder.scope("attn");
    saved.ln_1 = stream_norm(builder, params.ln_1, in, eps);
    saved.qkv = linear(builder, params.c_attn, saved.ln_1.y, "qkv");
    saved.attn = attend(builder, saved.qkv);
    saved.out = {saved.ln_1.x, linear(builder, params.attn_c_proj, saved.attn, "proj")};
  }
  const auto scope = builder.scope("mlp");
  saved.ln_2 = stream_norm(builder, params.ln_2, saved.out, eps);
  const Shape wide = with_width(saved.ln_2.y, params.c_fc.weight.shape[0]);
  saved.fc = builder.transient("fc", wide);
  saved.gelu = builder.transient("gelu", wide);
  ops::linear_gelu_forward(builder, {.x = saved.ln_2.y,
                                     .weight = params.c_fc.weight,
                                     .bias = params.c_fc.bias,
                                     .pre = saved.fc,
                                     .y = saved.gelu});
  saved.out = {saved.ln_2.x, linear(builder, params.mlp_c_proj, saved.gelu, "proj")};
  return saved;
}

void block_backward(PlanBuilder& builder, const BlockTensors& params, const BlockTensors& dparams,
                    const BlockActivations& saved, const AttendBackward& attend_backward,
                    const Tensor& dstream) {
  {
    const auto scope = builder.scope("mlp");
    const Tensor dfc = builder.transient("dfc", saved.fc.shape);
    ops::linear_backward_input(
        builder, {.dy = dstream, .weight = params.mlp_c_proj.weight, .dx = dfc, .pre_gelu = saved.fc});
    ops::linear_backward_weight(builder, {.dy = dstream,
                                          .x = saved.gelu,
                                          .dweight = dparams.mlp_c_proj.weight,
                                          .dbias = dparams.mlp_c_proj.bias});
    const Tensor dnorm = linear_backward(builder, params.c_fc, dparams.c_fc, saved.ln_2.y, dfc, "dnorm");
    stream_norm_backward(builder, params.ln_2, dparams.ln_2, saved.ln_2, dnorm, dstream, true);
  }
  const auto scope = builder.scope("attn");
  const Tensor dattn =
      linear_backward(builder, params.attn_c_proj, dparams.attn_c_proj, saved.attn, dstream, "dattn");
  const Tensor dqkv = attend_backward(builder, dattn);
  const Tensor dnorm = linear_backward(builder, params.c_attn, dparams.c_attn, saved.ln_1.y, dqkv, "dnorm");
  stream_norm_backward(builder, params.ln_1, dparams.ln_1, saved.ln_1, dnorm, dstream, true);
}

}  // namespace vkgpt::model
