#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "reference/embedding.hpp"
#include "reference/optimizer.hpp"

namespace vkgpt::reference {

struct Gpt2Config {
  std::size_t V = 0;      // vocabulary
  std::size_t Vp = 0;     // rows of wte and columns of the logits, at least V
  std::size_t L = 0;      // layers
  std::size_t NH = 0;     // heads
  std::size_t C = 0;      // width
  std::size_t T_max = 0;  // context window, rows of wpe
  bool tied = true;       // the head is wte
};

struct NamedTensor {
  std::string name;
  std::vector<std::size_t> shape;
  Vector values;
};

/// The parameters in vkgpt's order, Hugging Face's names without "transformer."; matrices are [out, in].
class Gpt2Parameters {
 public:
  /// All zero.
  explicit Gpt2Parameters(const Gpt2Config& config);

  std::vector<NamedTensor>& tensors() { return tensors_; }
  const std::vector<NamedTensor>& tensors() const { return tensors_; }
  Vector& operator[](std::string_view name);
  const Vector& operator[](std::string_view name) const;
  /// Copies `values` to the front of a tensor; what is left (the padded rows of wte) becomes zero.
  void assign(std::string_view name, View values);

 private:
  std::vector<NamedTensor> tensors_;
};

/// Random weights, biases and LayerNorm weights near 1 of a scale at which no gradient vanishes; padded rows
/// are zero.
Gpt2Parameters random_parameters(const Gpt2Config& config, std::uint64_t seed);

struct Gpt2Output {
  Vector logits;      // (B, T, Vp)
  double loss = 0.0;  // mean over the counted targets
};
struct Gpt2Gradients {
  Gpt2Output output;
  Gpt2Parameters gradients;  // of the mean loss
};

/// GPT-2 (Radford et al. 2019) in double precision: pre-norm blocks, learned positions, tanh-GELU.
class Gpt2Model {
 public:
  Gpt2Model(const Gpt2Config& config, Gpt2Parameters parameters);

  const Gpt2Config& config() const { return config_; }
  Gpt2Parameters& parameters() { return parameters_; }
  const Gpt2Parameters& parameters() const { return parameters_; }

  /// tokens (B, T) -> (B, T, Vp).
  Vector logits(TokenView tokens, std::size_t B, std::size_t T) const;
  /// tokens and targets (B, T).
  Gpt2Output forward(TokenView tokens, TokenView targets, std::size_t B, std::size_t T) const;
  /// `forward` and the gradient of its loss times `loss_scale`.
  Gpt2Gradients backward(TokenView tokens, TokenView targets, std::size_t B, std::size_t T,
                         double loss_scale = 1.0) const;
  /// `prompt` followed by `new_tokens` most likely tokens (the first of equals), everything recomputed for
  /// each from the last T_max tokens.
  std::vector<std::int32_t> greedy(TokenView prompt, std::size_t new_tokens) const;

 private:
  struct Layer;
  struct Activations;
  Activations run(TokenView tokens, std::size_t B, std::size_t T) const;
  Vector block_forward(Layer& layer, Vector x, std::size_t l, std::size_t B, std::size_t T) const;
  Vector block_backward(const Layer& layer, Vector dx, std::size_t l, std::size_t B, std::size_t T,
                        Gpt2Parameters& gradients) const;
  const Vector& head() const { return parameters_[config_.tied ? "wte.weight" : "lm_head.weight"]; }

  Gpt2Config config_;
  Gpt2Parameters parameters_;
};

struct Gpt2Step {
  double loss = 0.0;  // before the update
  double norm = 0.0;  // of all gradients, before clipping
};

/// AdamW over a model's parameters with clipping by the global norm and decay on tensors of rank >= 2 only.
class Gpt2Optimizer {
 public:
  explicit Gpt2Optimizer(const Gpt2Config& config) : m_(config), v_(config) {}
  Gpt2Step step(Gpt2Model& model, TokenView tokens, TokenView targets, std::size_t B, std::size_t T,
                const AdamW& config, double clip);

 private:
  Gpt2Parameters m_;
  Gpt2Parameters v_;
  std::int64_t step_ = 0;
};

}  // namespace vkgpt::reference
