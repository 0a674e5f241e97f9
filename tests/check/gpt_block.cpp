#include "check/gpt_block.hpp"

#include <algorithm>
#include <cmath>
#include <utility>

#include "vkgpt/check/definitions.hpp"
#include "vkgpt/core/check.hpp"

namespace vkgpt::check {
namespace {

/// The number in "h.3", "h.3.attn".
std::int64_t layer_of(const std::string& name) {
  return std::stoll(name.substr(name.find('.') + 1));
}

AttentionShape attention_shape(const model::GptConfig& config, std::int64_t layer, std::size_t B,
                               std::size_t T) {
  return {.B = B,
          .T = T,
          .C = static_cast<std::size_t>(config.attention_width()),
          .NH = static_cast<std::size_t>(config.n_head),
          .NKV = static_cast<std::size_t>(config.kv_heads()),
          .window = static_cast<std::size_t>(config.layer_window(layer))};
}

ops::NormKind norm_kind(const model::GptConfig& config) {
  if (config.norm == "rmsnorm1p") return ops::NormKind::kRmsNorm1p;
  return config.has_rms_norm() ? ops::NormKind::kRmsNorm : ops::NormKind::kLayerNorm;
}

Rope rope_of(const model::GptConfig& config, std::int64_t layer) {
  if (config.layer_rope_is_local(layer)) return {.theta = config.rope_local_theta};
  Rope rope{.theta = config.rope_base(),
            .original_context = static_cast<double>(config.original_context()),
            .magnitude = config.rope_magnitude()};
  if (config.rope_scaling == "none" || config.rope_scaling == "dynamic") return rope;
  rope.factor = config.rope_factor;
  rope.low = config.rope_low_freq_factor;
  rope.high = config.rope_high_freq_factor;
  if (config.rope_scaling == "linear") rope.rule = Rope::Rule::kLinear;
  if (config.rope_scaling == "yarn") {
    rope.rule = Rope::Rule::kYarn;
    rope.low = config.rope_beta_slow;
    rope.high = config.rope_beta_fast;
  }
  return rope;
}

Vector activate(const model::GptConfig& config, View pre) {
  if (config.mlp == "gelu") return gelu_forward(pre);
  if (config.mlp == "gelu_erf") return gelu_erf_forward(pre);
  if (config.mlp == "relu2") return relu_squared_forward(pre);
  const auto F = static_cast<std::size_t>(config.inner_width());
  if (config.mlp == "geglu") return geglu_forward(pre, pre.size() / (2 * F), F);
  VKGPT_CHECK(config.mlp == "swiglu", "{}", config.mlp);
  return swiglu_forward(pre, pre.size() / (2 * F), F);
}

Vector activate_backward(const model::GptConfig& config, View dout, View pre) {
  if (config.mlp == "gelu") return gelu_backward(dout, pre);
  if (config.mlp == "gelu_erf") return gelu_erf_backward(dout, pre);
  if (config.mlp == "relu2") return relu_squared_backward(dout, pre);
  const auto F = static_cast<std::size_t>(config.inner_width());
  if (config.mlp == "geglu") return geglu_backward(dout, pre, dout.size() / F, F);
  return swiglu_backward(dout, pre, dout.size() / F, F);
}

/// What a branch adds to the stream; `projected` keeps what its last layer gave.
Vector branch_output(const Parameters& p, const std::string& name, Vector given, Vector& projected,
                     Norm& norm) {
  projected = std::move(given);
  if (!p.config.branch_norms) return projected;
  norm = norm_forward(p, name + ".ln_out", projected);
  return norm.y;
}

/// The gradient of `projected`.
Vector branch_output_backward(const Parameters& p, const std::string& name, View dout, View projected,
                              const Norm& norm) {
  if (!p.config.branch_norms) return Vector(dout.begin(), dout.end());
  return norm_backward(p, name + ".ln_out", dout, projected, norm);
}

/// The weight of a norm of queries or keys, as it is multiplied by.
Vector head_factor(const Parameters& p, const std::string& name) {
  const double from = p.config.norm == "rmsnorm1p" ? 1.0 : 0.0;
  return map(p.get(name), [&](double w) { return from + w; });
}

/// qkv with its queries times `factor`.
Vector scaled_queries(Vector qkv, const AttentionShape& shape, double factor) {
  for (std::size_t i = 0; i < qkv.size(); ++i) {
    if (i % shape.qkv_width() < shape.C) qkv[i] *= factor;
  }
  return qkv;
}

/// What makes scores over sqrt(HS) scores over sqrt(attention_scalar).
double query_factor(const model::GptConfig& config) {
  if (config.attention_scalar == 0) return 1.0;
  return std::sqrt(static_cast<double>(config.head_size()) / config.attention_scalar);
}

Vector attend(Block& block, const Parameters& p, const std::string& name, const AttentionShape& shape) {
  const model::GptConfig& config = p.config;
  block.qkv = linear_forward(p, name + ".c_attn", block.norm1.y);
  block.rotated = block.qkv;
  if (config.qk_norm) {
    block.rotated = qk_norm_forward(block.qkv, head_factor(p, name + ".q_norm.weight"),
                                    head_factor(p, name + ".k_norm.weight"), shape, config.layer_norm_eps)
                        .out;
  }
  if (config.layer_has_rope(layer_of(name)))
    block.rotated = rope_forward(block.rotated, shape, rope_of(config, layer_of(name)));
  block.rotated = scaled_queries(std::move(block.rotated), shape, query_factor(config));
  block.attention = attention_forward(block.rotated, shape);
  return branch_output(p, name, linear_forward(p, name + ".c_proj", block.attention.out), block.attended,
                       block.attended_norm);
}

/// The gradient of the norm's output; dout is that of the projection.
Vector attend_backward(const Block& block, const Parameters& p, const std::string& name, View dout,
                       const AttentionShape& shape) {
  const model::GptConfig& config = p.config;
  const Vector dprojected = branch_output_backward(p, name, dout, block.attended, block.attended_norm);
  const Vector dattention = linear_backward(p, name + ".c_proj", dprojected, block.attention.out);
  Vector dqkv =
      scaled_queries(attention_backward(dattention, block.rotated, shape), shape, query_factor(config));
  if (config.layer_has_rope(layer_of(name)))
    dqkv = rope_backward(dqkv, shape, rope_of(config, layer_of(name)));
  if (config.qk_norm) {
    QkNormGradients gradients =
        qk_norm_backward(dqkv, block.qkv, head_factor(p, name + ".q_norm.weight"),
                         head_factor(p, name + ".k_norm.weight"), shape, config.layer_norm_eps);
    p.add_gradient(name + ".q_norm.weight", gradients.dq_weight);
    p.add_gradient(name + ".k_norm.weight", gradients.dk_weight);
    dqkv = std::move(gradients.dqkv);
  }
  return linear_backward(p, name + ".c_attn", dqkv, block.norm1.y);
}

Vector mlp_forward(Block& block, const Parameters& p, const std::string& name, View normed) {
  block.pre = linear_forward(p, name + ".c_fc", normed);
  block.activated = activate(p.config, block.pre);
  return branch_output(p, name, linear_forward(p, name + ".c_proj", block.activated), block.projected,
                       block.projected_norm);
}

/// The gradient of `normed`.
Vector mlp_backward(const Block& block, const Parameters& p, const std::string& name, View dout,
                    View normed) {
  const Vector dprojected = branch_output_backward(p, name, dout, block.projected, block.projected_norm);
  const Vector dactivated = linear_backward(p, name + ".c_proj", dprojected, block.activated);
  return linear_backward(p, name + ".c_fc", activate_backward(p.config, dactivated, block.pre), normed);
}

}  // namespace

View Parameters::get(const std::string& name) const {
  const auto found = std::ranges::find(params.specs(), name, &model::ParamSpec::name);
  if (found == params.specs().end()) return {};
  return arena.subspan(static_cast<std::size_t>(found->offset), static_cast<std::size_t>(found->numel()));
}

void Parameters::add_gradient(const std::string& name, View gradient) const {
  const auto found = std::ranges::find(params.specs(), name, &model::ParamSpec::name);
  if (found == params.specs().end()) return;
  VKGPT_CHECK(gradient.size() == static_cast<std::size_t>(found->numel()), "{}", name);
  for (std::size_t i = 0; i < gradient.size(); ++i)
    gradients[static_cast<std::size_t>(found->offset) + i] += gradient[i];
}

Norm norm_forward(const Parameters& p, const std::string& name, View x) {
  return norm_forward(norm_kind(p.config), x, p.get(name + ".weight"), p.get(name + ".bias"),
                      p.config.layer_norm_eps);
}

Vector norm_backward(const Parameters& p, const std::string& name, View dout, View x, const Norm& norm) {
  NormGradients gradients = norm_backward(norm_kind(p.config), dout, x, p.get(name + ".weight"), norm);
  p.add_gradient(name + ".weight", gradients.dweight);
  p.add_gradient(name + ".bias", gradients.dbias);
  return std::move(gradients.dx);
}

Vector linear_forward(const Parameters& p, const std::string& name, View x) {
  const auto N = static_cast<std::size_t>(p.params.find(name + ".weight").shape[0]);
  const auto K = static_cast<std::size_t>(p.params.find(name + ".weight").shape[1]);
  return linear_forward(x, p.get(name + ".weight"), p.get(name + ".bias"), x.size() / K, N, K);
}

Vector linear_backward(const Parameters& p, const std::string& name, View dout, View x) {
  const auto N = static_cast<std::size_t>(p.params.find(name + ".weight").shape[0]);
  const auto K = static_cast<std::size_t>(p.params.find(name + ".weight").shape[1]);
  LinearGradients gradients = linear_backward(dout, x, p.get(name + ".weight"), x.size() / K, N, K);
  p.add_gradient(name + ".weight", gradients.dweight);
  p.add_gradient(name + ".bias", gradients.dbias);
  return std::move(gradients.dx);
}

Vector block_forward(Block& block, const Parameters& p, const std::string& name, Vector x, std::size_t B,
                     std::size_t T) {
  block.x = std::move(x);
  block.norm1 = norm_forward(p, name + ".ln_1", block.x);
  const Vector attended = attend(block, p, name + ".attn", attention_shape(p.config, layer_of(name), B, T));
  if (p.config.parallel_blocks) {
    return add(add(block.x, attended), mlp_forward(block, p, name + ".mlp", block.norm1.y));
  }
  block.residual = add(block.x, attended);
  block.norm2 = norm_forward(p, name + ".ln_2", block.residual);
  return add(block.residual, mlp_forward(block, p, name + ".mlp", block.norm2.y));
}

Vector block_backward(const Block& block, const Parameters& p, const std::string& name, View dout,
                      std::size_t B, std::size_t T) {
  const AttentionShape shape = attention_shape(p.config, layer_of(name), B, T);
  if (p.config.parallel_blocks) {
    const Vector dnorm = add(attend_backward(block, p, name + ".attn", dout, shape),
                             mlp_backward(block, p, name + ".mlp", dout, block.norm1.y));
    return add(dout, norm_backward(p, name + ".ln_1", dnorm, block.x, block.norm1));
  }
  const Vector dnorm2 = mlp_backward(block, p, name + ".mlp", dout, block.norm2.y);
  const Vector dresidual = add(dout, norm_backward(p, name + ".ln_2", dnorm2, block.residual, block.norm2));
  const Vector dnorm1 = attend_backward(block, p, name + ".attn", dresidual, shape);
  return add(dresidual, norm_backward(p, name + ".ln_1", dnorm1, block.x, block.norm1));
}

}  // namespace vkgpt::check
