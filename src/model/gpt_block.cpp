#include "model/gpt_block.hpp"

#include "vkgpt/core/check.hpp"
#include "vkgpt/ops/activation.hpp"
#include "vkgpt/ops/attention/qk_norm.hpp"
#include "vkgpt/ops/copy.hpp"
#include "vkgpt/ops/dropout.hpp"
#include "vkgpt/ops/matmul/matmul.hpp"
#include "vkgpt/ops/norm.hpp"
#include "vkgpt/ops/residual.hpp"

namespace vkgpt::model {

using plan::PlanBuilder;
using plan::Tensor;

namespace {

float eps_of(const BlockOptions& options) {
  return static_cast<float>(options.config.layer_norm_eps);
}

ops::NormKind norm_kind(const BlockOptions& options) {
  if (options.config.norm_counts_from_one()) return ops::NormKind::kRmsNorm1p;
  return options.config.has_rms_norm() ? ops::NormKind::kRmsNorm : ops::NormKind::kLayerNorm;
}

ops::Activation activation_kind(const BlockOptions& options) {
  if (options.config.mlp == "relu2") return ops::Activation::kReluSquared;
  return options.config.mlp == "gelu_erf" ? ops::Activation::kGeluErf : ops::Activation::kGelu;
}

ops::Gate gate_kind(const BlockOptions& options) {
  return options.config.mlp == "geglu" ? ops::Gate::kGelu : ops::Gate::kSilu;
}

/// Whether GELU and its gradient ride on the matrix products beside them.
bool has_fused_gelu(const BlockTensors& params, const BlockOptions& options) {
  return options.config.mlp == "gelu" && !params.c_fc.has_adapters() && !params.mlp_c_proj.has_adapters();
}

std::uint32_t attention_site(const BlockOptions& options) {
  return options.dropout_site + 1;
}
std::uint32_t mlp_site(const BlockOptions& options) {
  return options.dropout_site + 2;
}

Tensor drop(PlanBuilder& builder, const Tensor& x, std::uint32_t site, const BlockOptions& options) {
  if (options.dropout == 0) return x;
  const Tensor y = builder.transient("dropped", x.shape, x.dtype);
  ops::dropout(builder, x, y, {.p = options.dropout, .site = site});
  return y;
}

/// What a branch adds to the stream: `projected`, normalized where the block does that.
Tensor branch_output(PlanBuilder& builder, const NormTensors& params, const Tensor& projected,
                     std::optional<NormActivations>& norm, std::uint32_t site, const BlockOptions& options) {
  if (!options.config.branch_norms) return drop(builder, projected, site, options);
  const auto scope = builder.scope("out");
  norm = stream_norm(builder, params, {projected, {}}, options);
  return drop(builder, norm->y, site, options);
}

/// The gradient of `projected`.
Tensor branch_output_backward(PlanBuilder& builder, const NormTensors& params, const NormTensors& dparams,
                              const std::optional<NormActivations>& norm, const Tensor& dstream,
                              std::uint32_t site, const BlockOptions& options) {
  const Tensor dout = branch_gradient(builder, dstream, site, options);
  if (!norm) return dout;
  const Tensor dprojected = builder.transient("dprojected", dstream.shape, options.dtype);
  stream_norm_backward(builder, params, dparams, *norm, dout, dprojected, false, options);
  return dprojected;
}

MlpBranch mlp_branch(PlanBuilder& builder, const BlockTensors& params, const Tensor& x,
                     const BlockOptions& options) {
  MlpBranch saved;
  const Shape inner = with_width(x, options.config.inner_width());
  const Tensor act = builder.transient("act", inner, x.dtype);
  if (has_fused_gelu(params, options)) {
    saved.c_fc = {.x = x, .y = builder.transient("fc", inner, x.dtype)};
    ops::linear_gelu_forward(builder, {.x = x,
                                       .weight = *params.c_fc.weight,
                                       .bias = params.c_fc.bias,
                                       .pre = saved.c_fc.y,
                                       .y = act,
                                       .by_rows = options.by_rows});
  } else {
    saved.c_fc = linear_forward(builder, params.c_fc, x, "fc", options.lora.of(2), options.by_rows);
    if (options.config.has_gate()) {
      ops::swiglu_forward(builder, saved.c_fc.y, act, gate_kind(options));
    } else {
      ops::activation_forward(builder, activation_kind(options), saved.c_fc.y, act);
    }
  }
  saved.c_proj = linear_forward(builder, params.mlp_c_proj, act, "proj", options.lora.of(3), options.by_rows);
  saved.out =
      branch_output(builder, params.mlp_ln_out, saved.c_proj.y, saved.out_norm, mlp_site(options), options);
  return saved;
}

/// The gradient of the branch's input goes to dx.
void mlp_backward(PlanBuilder& builder, const BlockTensors& params, const BlockTensors& dparams,
                  const MlpBranch& saved, const Tensor& dstream, const Tensor& dx,
                  const BlockOptions& options) {
  const Tensor dout = branch_output_backward(builder, params.mlp_ln_out, dparams.mlp_ln_out, saved.out_norm,
                                             dstream, mlp_site(options), options);
  const Tensor dfc = builder.transient("dfc", saved.c_fc.y.shape, options.dtype);
  if (has_fused_gelu(params, options)) {
    ops::linear_backward_input(
        builder, {.dy = dout, .weight = *params.mlp_c_proj.weight, .dx = dfc, .pre_gelu = saved.c_fc.y});
    linear_backward_params(builder, params.mlp_c_proj, dparams.mlp_c_proj, saved.c_proj.x, dout);
  } else {
    const Tensor dact = builder.transient("dact", saved.c_proj.x.shape, options.dtype);
    linear_backward(builder, params.mlp_c_proj, dparams.mlp_c_proj, saved.c_proj, dout, dact,
                    options.lora.of(3));
    if (options.config.has_gate()) {
      ops::swiglu_backward(builder, dact, saved.c_fc.y, dfc, gate_kind(options));
    } else {
      ops::activation_backward(builder, activation_kind(options), dact, saved.c_fc.y, dfc);
    }
  }
  linear_backward(builder, params.c_fc, dparams.c_fc, saved.c_fc, dfc, dx, options.lora.of(2));
}

/// The gradient of the branch's input, the norm's output, goes to dx or is added to it.
void attention_backward(PlanBuilder& builder, const BlockTensors& params, const BlockTensors& dparams,
                        const AttentionBranch& saved, const AttendBackward& attend_backward,
                        const Tensor& dstream, const Tensor& dx, bool accumulate,
                        const BlockOptions& options) {
  const Tensor dout = branch_output_backward(builder, params.attn_ln_out, dparams.attn_ln_out, saved.out_norm,
                                             dstream, attention_site(options), options);
  const Tensor dattn = builder.transient("dattn", saved.attended.out.shape, options.dtype);
  linear_backward(builder, params.attn_c_proj, dparams.attn_c_proj, saved.c_proj, dout, dattn,
                  options.lora.of(1));
  Tensor dqkv = attend_backward(builder, dattn, saved.qkv, saved.attended);
  if (options.config.qk_norm) {
    const Tensor draw = builder.transient("dqkv_raw", dqkv.shape, options.dtype);
    ops::qk_norm_backward(builder, {.dout = dqkv,
                                    .qkv = saved.c_attn.y,
                                    .q_weight = *params.q_norm,
                                    .k_weight = *params.k_norm,
                                    .rstd = *saved.qk_rstd,
                                    .dqkv = draw,
                                    .dq_weight = dparams.q_norm,
                                    .dk_weight = dparams.k_norm,
                                    .n_head = options.config.n_head,
                                    .n_kv_head = options.config.kv_heads(),
                                    .one_plus = options.config.norm_counts_from_one()});
    dqkv = draw;
  }
  linear_backward(builder, params.c_attn, dparams.c_attn, saved.c_attn, dqkv, dx, options.lora.of(0),
                  accumulate);
}

}  // namespace

ops::RopeAngles rope_angles(const GptConfig& config) {
  ops::RopeAngles angles{.theta = config.rope_base(),
                         .factor = config.rope_factor,
                         .original_context = static_cast<double>(config.original_context()),
                         .magnitude = config.rope_magnitude() * config.head_magnitude()};
  if (config.rope_scaling == "linear") angles.scaling = ops::RopeScaling::kLinear;
  if (config.rope_scaling == "llama3") {
    angles.scaling = ops::RopeScaling::kLlama3;
    angles.low = config.rope_low_freq_factor;
    angles.high = config.rope_high_freq_factor;
  }
  if (config.rope_scaling == "yarn") {
    angles.scaling = ops::RopeScaling::kYarn;
    angles.low = config.rope_beta_slow;
    angles.high = config.rope_beta_fast;
    angles.truncate = config.rope_truncate;
  }
  return angles;
}

ops::RopeAngles rope_angles(const GptConfig& config, std::int64_t layer) {
  if (!config.layer_rope_is_local(layer)) return rope_angles(config);
  return {.theta = config.rope_local_theta, .magnitude = config.head_magnitude()};
}

NormActivations stream_norm(PlanBuilder& builder, const NormTensors& params, const Stream& stream,
                            const BlockOptions& options) {
  const std::int64_t rows = stream.x.shape.rows();
  NormActivations saved{.x = stream.x,
                        .y = builder.transient("norm", stream.x.shape, options.dtype),
                        .mean = {},
                        .rstd = builder.transient("rstd", {rows})};
  if (!options.config.has_rms_norm()) saved.mean = builder.transient("mean", {rows});
  ops::NormForward args{.kind = norm_kind(options),
                        .x = stream.x,
                        .weight = *params.weight,
                        .bias = params.bias,
                        .y = saved.y,
                        .mean = saved.mean,
                        .rstd = saved.rstd,
                        .eps = eps_of(options)};
  if (stream.branch) {
    saved.x = builder.transient("residual", stream.x.shape, stream.x.dtype);
    args.residual = ops::NormResidual{*stream.branch, saved.x};
  }
  ops::norm_forward(builder, args);
  return saved;
}

void stream_norm_backward(PlanBuilder& builder, const NormTensors& params, const NormTensors& dparams,
                          const NormActivations& saved, const Tensor& dy, const Tensor& dstream,
                          bool accumulate, const BlockOptions& options) {
  VKGPT_CHECK(params.weight, "the backward of a norm that the block has not");
  ops::norm_backward(builder, {.kind = norm_kind(options),
                               .dy = dy,
                               .x = saved.x,
                               .weight = *params.weight,
                               .mean = saved.mean,
                               .rstd = saved.rstd,
                               .dx = dstream,
                               .dweight = dparams.weight,
                               .dbias = dparams.bias,
                               .accumulate = accumulate});
}

Tensor branch_gradient(PlanBuilder& builder, const Tensor& dstream, std::uint32_t site,
                       const BlockOptions& options) {
  if (options.dropout == 0) return dstream;
  const Tensor dbranch = builder.transient("dbranch", dstream.shape, options.dtype);
  ops::dropout(builder, dstream, dbranch, {.p = options.dropout, .site = site});
  return dbranch;
}

AttentionBranch attention_branch(PlanBuilder& builder, const BlockTensors& params, const Stream& in,
                                 const Attend& attend, const BlockOptions& options) {
  const auto scope = builder.scope("attn");
  AttentionBranch saved{.norm = stream_norm(builder, params.ln_1, in, options)};
  if (options.put_aside) ops::copy(builder, saved.norm.x, *options.put_aside);
  saved.c_attn =
      linear_forward(builder, params.c_attn, saved.norm.y, "qkv", options.lora.of(0), options.by_rows);
  saved.qkv = saved.c_attn.y;
  if (options.config.qk_norm) {
    const GptConfig& config = options.config;
    saved.qkv = builder.transient("qkv_normed", saved.c_attn.y.shape, options.dtype);
    saved.qk_rstd = builder.transient("qk_rstd", {saved.qkv.shape.rows(), config.n_head + config.kv_heads()});
    ops::qk_norm_forward(builder, {.qkv = saved.c_attn.y,
                                   .q_weight = *params.q_norm,
                                   .k_weight = *params.k_norm,
                                   .out = saved.qkv,
                                   .rstd = *saved.qk_rstd,
                                   .n_head = config.n_head,
                                   .n_kv_head = config.kv_heads(),
                                   .eps = eps_of(options),
                                   .one_plus = config.norm_counts_from_one()});
  }
  saved.attended = attend(builder, saved.qkv);
  saved.c_proj = linear_forward(builder, params.attn_c_proj, saved.attended.out, "proj", options.lora.of(1),
                                options.by_rows);
  saved.out = branch_output(builder, params.attn_ln_out, saved.c_proj.y, saved.out_norm,
                            attention_site(options), options);
  return saved;
}

BlockActivations block_forward(PlanBuilder& builder, const BlockTensors& params, const Stream& in,
                               const Attend& attend, const BlockOptions& options) {
  BlockActivations saved;
  saved.attention = attention_branch(builder, params, in, attend, options);
  const auto scope = builder.scope("mlp");
  if (options.config.parallel_blocks) {
    saved.mlp = mlp_branch(builder, params, saved.attention.norm.y, options);
    const Tensor both = builder.transient("branches", saved.mlp.out.shape, options.dtype);
    ops::residual_forward(builder, saved.attention.out, saved.mlp.out, both);
    saved.out = {saved.attention.norm.x, both};
    return saved;
  }
  const NormActivations norm =
      stream_norm(builder, params.ln_2, {saved.attention.norm.x, saved.attention.out}, options);
  saved.mlp = mlp_branch(builder, params, norm.y, options);
  saved.mlp.norm = norm;
  saved.out = {norm.x, saved.mlp.out};
  return saved;
}

void block_backward(PlanBuilder& builder, const BlockTensors& params, const BlockTensors& dparams,
                    const BlockActivations& saved, const AttendBackward& attend_backward,
                    const Tensor& dstream, const BlockOptions& options, const Attend* recompute_attention) {
  const bool parallel = options.config.parallel_blocks;
  Tensor dnorm;
  {
    const auto scope = builder.scope("mlp");
    dnorm = builder.transient("dnorm", dstream.shape, options.dtype);
    mlp_backward(builder, params, dparams, saved.mlp, dstream, dnorm, options);
    if (saved.mlp.norm) {
      stream_norm_backward(builder, params.ln_2, dparams.ln_2, *saved.mlp.norm, dnorm, dstream, true,
                           options);
    }
  }
  AttentionBranch attention = saved.attention;
  if (recompute_attention != nullptr) {
    attention =
        attention_branch(builder, params, {saved.attention.norm.x, {}}, *recompute_attention, options);
  }
  const auto scope = builder.scope("attn");
  if (!parallel) dnorm = builder.transient("dnorm", dstream.shape, options.dtype);
  attention_backward(builder, params, dparams, attention, attend_backward, dstream, dnorm, parallel, options);
  stream_norm_backward(builder, params.ln_1, dparams.ln_1, attention.norm, dnorm, dstream, true, options);
}

}  // namespace vkgpt::model
