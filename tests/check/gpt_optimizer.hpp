#pragma once

#include <cstdint>
#include <functional>

#include "vkgpt/check/update_rules.hpp"

#include "check/gpt_model.hpp"

namespace vkgpt::check {

/// One parameter at an update.
struct ParameterUpdate {
  const model::ParamSpec& spec;
  std::span<double> weights;
  View gradient;      // not clipped
  double grad_scale;  // the clip factor
  std::span<double> m;
  std::span<double> v;  // m and v: the rule's own, zeros at first, shaped like the weights
  std::int64_t step;    // from 1
};
using UpdateRule = std::function<void(const ParameterUpdate&)>;

/// The weight decay is that of parameters which the table lets decay.
UpdateRule adamw_rule(const AdamW& config);
UpdateRule lion_rule(const Lion& config);
/// AdamW with 8-bit moments for parameters of 4096 elements or more, padding included, and AdamW for the
/// rest.
UpdateRule adamw8_rule(const AdamW& config);
/// Muon for the matrices inside the blocks, `others` for the rest. Queries, keys, values, SwiGLU's gate and
/// what it gates are matrices of their own. Muon's decay is `config`'s.
UpdateRule muon_rule(const Muon& config, const model::GptConfig& model, UpdateRule others);

struct GptStep {
  double loss = 0.0;  // before the update
  double norm = 0.0;  // of all gradients, before clipping
};

/// A training step of a model: gradients, clipping by the global norm, the rule for every parameter.
class GptOptimizer {
 public:
  GptOptimizer(const model::GptParams& params, UpdateRule rule);
  GptStep step(GptModel& model, TokenView tokens, TokenView targets, std::size_t B, std::size_t T,
               double clip);

 private:
  UpdateRule rule_;
  Vector m_;  // laid out as the parameters
  Vector v_;
  std::int64_t step_ = 0;
};

}  // namespace vkgpt::check
