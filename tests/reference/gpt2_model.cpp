#include "reference/gpt2_model.hpp"

#include <algorithm>
#include <format>

#include "vkgpt/core/check.hpp"

#include "reference/attention.hpp"
#include "reference/compare.hpp"
#include "reference/cross_entropy.hpp"
#include "reference/layernorm.hpp"

namespace vkgpt::reference {
namespace {

std::string in_layer(std::size_t l, std::string_view name) {
  return std::format("h.{}.{}", l, name);
}

std::size_t vocabulary_rows(const NamedTensor& tensor, const Gpt2Config& config) {
  return tensor.name == "wte.weight" || tensor.name == "lm_head.weight" ? config.V : tensor.shape[0];
}

}  // namespace

Gpt2Parameters::Gpt2Parameters(const Gpt2Config& config) {
  VKGPT_CHECK(config.V <= config.Vp && config.NH > 0 && config.C % config.NH == 0);
  const std::size_t C = config.C;
  const auto append = [&](std::string name, std::vector<std::size_t> shape) {
    std::size_t count = 1;
    for (const std::size_t dim : shape) count *= dim;
    tensors_.push_back({std::move(name), std::move(shape), Vector(count, 0.0)});
  };
  append("wte.weight", {config.Vp, C});
  append("wpe.weight", {config.T_max, C});
  for (std::size_t l = 0; l < config.L; ++l) {
    append(in_layer(l, "ln_1.weight"), {C});
    append(in_layer(l, "ln_1.bias"), {C});
    append(in_layer(l, "attn.c_attn.weight"), {3 * C, C});
    append(in_layer(l, "attn.c_attn.bias"), {3 * C});
    append(in_layer(l, "attn.c_proj.weight"), {C, C});
    append(in_layer(l, "attn.c_proj.bias"), {C});
    append(in_layer(l, "ln_2.weight"), {C});
    append(in_layer(l, "ln_2.bias"), {C});
    append(in_layer(l, "mlp.c_fc.weight"), {4 * C, C});
    append(in_layer(l, "mlp.c_fc.bias"), {4 * C});
    append(in_layer(l, "mlp.c_proj.weight"), {C, 4 * C});
    append(in_layer(l, "mlp.c_proj.bias"), {C});
  }
  append("ln_f.weight", {C});
  append("ln_f.bias", {C});
  if (!config.tied) append("lm_head.weight", {config.Vp, C});
}

Vector& Gpt2Parameters::operator[](std::string_view name) {
  const auto found = std::ranges::find(tensors_, name, &NamedTensor::name);
  VKGPT_CHECK(found != tensors_.end(), "no parameter {}", name);
  return found->values;
}

const Vector& Gpt2Parameters::operator[](std::string_view name) const {
  const auto found = std::ranges::find(tensors_, name, &NamedTensor::name);
  VKGPT_CHECK(found != tensors_.end(), "no parameter {}", name);
  return found->values;
}

void Gpt2Parameters::assign(std::string_view name, View values) {
  Vector& tensor = (*this)[name];
  VKGPT_CHECK(values.size() <= tensor.size(), "{}: {} values for {}", name, values.size(), tensor.size());
  std::ranges::fill(std::ranges::copy(values, tensor.begin()).out, tensor.end(), 0.0);
}

Gpt2Parameters random_parameters(const Gpt2Config& config, std::uint64_t seed) {
  Gpt2Parameters parameters(config);
  for (const NamedTensor& tensor : parameters.tensors()) {
    const bool is_norm_weight = tensor.shape.size() == 1 && tensor.name.ends_with("weight");
    const std::size_t count = tensor.values.size() / tensor.shape[0] * vocabulary_rows(tensor, config);
    Vector values = random_doubles(count, seed++, 0.5F);
    if (is_norm_weight)
      for (double& value : values) value += 1.0;
    parameters.assign(tensor.name, values);
  }
  return parameters;
}

/// What the backward of one block needs.
struct Gpt2Model::Layer {
  Vector x;         // (B, T, C), the block's input
  Layernorm norm1;  // of x
  Vector qkv;       // (B, T, 3C)
  Attention attention;
  ResidualLayernorm norm2;  // x + the attention's projection
  LinearGelu mlp;           // (B, T, 4C)
};

struct Gpt2Model::Activations {
  std::vector<Layer> layers;
  Vector x;         // (B, T, C), the last block's output
  Layernorm final;  // of x
  Vector logits;    // (B, T, Vp)
};

Gpt2Model::Gpt2Model(const Gpt2Config& config, Gpt2Parameters parameters)
    : config_(config), parameters_(std::move(parameters)) {}

Vector Gpt2Model::block_forward(Layer& layer, Vector x, std::size_t l, std::size_t B, std::size_t T) const {
  const auto p = [&](std::string_view name) -> View { return parameters_[in_layer(l, name)]; };
  const std::size_t N = B * T, C = config_.C;
  layer.x = std::move(x);
  layer.norm1 = layernorm_forward(layer.x, p("ln_1.weight"), p("ln_1.bias"), N, C);
  layer.qkv = linear_forward(layer.norm1.y, p("attn.c_attn.weight"), p("attn.c_attn.bias"), N, 3 * C, C);
  layer.attention = attention_forward(layer.qkv, {.B = B, .T = T, .C = C, .NH = config_.NH});
  const Vector attended =
      linear_forward(layer.attention.out, p("attn.c_proj.weight"), p("attn.c_proj.bias"), N, C, C);
  layer.norm2 = residual_layernorm_forward(layer.x, attended, p("ln_2.weight"), p("ln_2.bias"), N, C);
  layer.mlp = linear_gelu_forward(layer.norm2.norm.y, p("mlp.c_fc.weight"), p("mlp.c_fc.bias"), N, 4 * C, C);
  return add(layer.norm2.residual,
             linear_forward(layer.mlp.out, p("mlp.c_proj.weight"), p("mlp.c_proj.bias"), N, C, 4 * C));
}

Gpt2Model::Activations Gpt2Model::run(TokenView tokens, std::size_t B, std::size_t T) const {
  VKGPT_CHECK(T <= config_.T_max && tokens.size() == B * T);
  const std::size_t N = B * T, C = config_.C;
  Activations a;
  a.x = embedding_forward(tokens, parameters_["wte.weight"], parameters_["wpe.weight"], B, T, C);
  a.layers.resize(config_.L);
  for (std::size_t l = 0; l < config_.L; ++l) a.x = block_forward(a.layers[l], std::move(a.x), l, B, T);
  a.final = layernorm_forward(a.x, parameters_["ln_f.weight"], parameters_["ln_f.bias"], N, C);
  a.logits = linear_forward(a.final.y, head(), {}, N, config_.Vp, C);
  return a;
}

Vector Gpt2Model::block_backward(const Layer& layer, Vector dx, std::size_t l, std::size_t B, std::size_t T,
                                 Gpt2Parameters& gradients) const {
  const auto p = [&](std::string_view name) -> View { return parameters_[in_layer(l, name)]; };
  const auto store = [&](std::string_view module, Vector dweight, Vector dbias) {
    gradients[in_layer(l, std::format("{}.weight", module))] = std::move(dweight);
    gradients[in_layer(l, std::format("{}.bias", module))] = std::move(dbias);
  };
  const std::size_t N = B * T, C = config_.C;

  LinearGradients projection = linear_backward(dx, layer.mlp.out, p("mlp.c_proj.weight"), N, C, 4 * C);
  LinearGradients fc = linear_backward(gelu_backward(projection.dx, layer.mlp.pre), layer.norm2.norm.y,
                                       p("mlp.c_fc.weight"), N, 4 * C, C);
  store("mlp.c_proj", std::move(projection.dweight), std::move(projection.dbias));
  store("mlp.c_fc", std::move(fc.dweight), std::move(fc.dbias));

  const Layernorm& n2 = layer.norm2.norm;
  LayernormGradients norm2 =
      residual_layernorm_backward(fc.dx, dx, layer.norm2.residual, p("ln_2.weight"), n2.mean, n2.rstd, N, C);
  store("ln_2", std::move(norm2.dweight), std::move(norm2.dbias));

  LinearGradients attended = linear_backward(norm2.dx, layer.attention.out, p("attn.c_proj.weight"), N, C, C);
  const Vector dqkv = attention_backward(attended.dx, layer.qkv, {.B = B, .T = T, .C = C, .NH = config_.NH});
  LinearGradients qkv = linear_backward(dqkv, layer.norm1.y, p("attn.c_attn.weight"), N, 3 * C, C);
  store("attn.c_proj", std::move(attended.dweight), std::move(attended.dbias));
  store("attn.c_attn", std::move(qkv.dweight), std::move(qkv.dbias));

  LayernormGradients norm1 =
      layernorm_backward(qkv.dx, layer.x, p("ln_1.weight"), layer.norm1.mean, layer.norm1.rstd, N, C);
  store("ln_1", std::move(norm1.dweight), std::move(norm1.dbias));
  return add(norm2.dx, norm1.dx);
}

Vector Gpt2Model::logits(TokenView tokens, std::size_t B, std::size_t T) const {
  return run(tokens, B, T).logits;
}

Gpt2Output Gpt2Model::forward(TokenView tokens, TokenView targets, std::size_t B, std::size_t T) const {
  Gpt2Output output{.logits = logits(tokens, B, T)};
  output.loss = cross_entropy_forward(output.logits, targets, config_.V, config_.Vp).mean_loss;
  return output;
}

Gpt2Gradients Gpt2Model::backward(TokenView tokens, TokenView targets, std::size_t B, std::size_t T,
                                  double loss_scale) const {
  const std::size_t N = B * T, C = config_.C;
  Activations a = run(tokens, B, T);
  const CrossEntropy loss = cross_entropy_forward(a.logits, targets, config_.V, config_.Vp);
  const double grad_scale = loss_scale / static_cast<double>(std::max<std::size_t>(loss.counted, 1));
  const Vector dlogits = cross_entropy_backward(a.logits, targets, config_.V, config_.Vp, grad_scale);
  Gpt2Gradients result{.output = {.logits = std::move(a.logits), .loss = loss.mean_loss},
                       .gradients = Gpt2Parameters(config_)};
  Gpt2Parameters& gradients = result.gradients;

  LinearGradients classifier = linear_backward(dlogits, a.final.y, head(), N, config_.Vp, C);
  LayernormGradients final =
      layernorm_backward(classifier.dx, a.x, parameters_["ln_f.weight"], a.final.mean, a.final.rstd, N, C);
  gradients["ln_f.weight"] = std::move(final.dweight);
  gradients["ln_f.bias"] = std::move(final.dbias);

  Vector dx = std::move(final.dx);
  for (std::size_t l = config_.L; l-- > 0;)
    dx = block_backward(a.layers[l], std::move(dx), l, B, T, gradients);

  EmbeddingGradients embedding = embedding_backward(dx, tokens, B, T, C, config_.Vp, config_.T_max);
  gradients["wpe.weight"] = std::move(embedding.dwpe);
  if (config_.tied) {
    gradients["wte.weight"] = add(embedding.dwte, classifier.dweight);
  } else {
    gradients["wte.weight"] = std::move(embedding.dwte);
    gradients["lm_head.weight"] = std::move(classifier.dweight);
  }
  return result;
}

std::vector<std::int32_t> Gpt2Model::greedy(TokenView prompt, std::size_t new_tokens) const {
  VKGPT_CHECK(!prompt.empty());
  std::vector<std::int32_t> tokens(prompt.begin(), prompt.end());
  for (std::size_t i = 0; i < new_tokens; ++i) {
    const std::size_t T = std::min(tokens.size(), config_.T_max);
    const Vector all = logits(TokenView(tokens).last(T), 1, T);
    const View last = View(all).subspan((T - 1) * config_.Vp, config_.V);
    tokens.push_back(static_cast<std::int32_t>(std::ranges::max_element(last) - last.begin()));
  }
  return tokens;
}

Gpt2Step Gpt2Optimizer::step(Gpt2Model& model, TokenView tokens, TokenView targets, std::size_t B,
                             std::size_t T, const AdamW& config, double clip) {
  const Gpt2Gradients result = model.backward(tokens, targets, B, T);
  const std::vector<NamedTensor>& gradients = result.gradients.tensors();
  std::vector<View> views;
  for (const NamedTensor& gradient : gradients) views.emplace_back(gradient.values);
  const double norm = global_norm(views);
  const double scale = clip_scale(norm, clip);
  step_ += 1;
  std::vector<NamedTensor>& weights = model.parameters().tensors();
  for (std::size_t i = 0; i < weights.size(); ++i) {
    AdamW tensor_config = config;
    if (weights[i].shape.size() < 2) tensor_config.weight_decay = 0.0;
    adamw_step(weights[i].values, gradients[i].values, m_.tensors()[i].values, v_.tensors()[i].values, step_,
               tensor_config, scale);
  }
  return {.loss = result.output.loss, .norm = norm};
}

}  // namespace vkgpt::reference
