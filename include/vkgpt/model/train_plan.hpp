#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "vkgpt/core/blocks.hpp"
#include "vkgpt/model/gpt_config.hpp"
#include "vkgpt/model/gpt_params.hpp"
#include "vkgpt/model/preference.hpp"
#include "vkgpt/model/train_step.hpp"
#include "vkgpt/plan/plan.hpp"
#include "vkgpt/plan/taps.hpp"
#include "vkgpt/vk/target.hpp"

namespace vkgpt::model {

/// How a step that trains adapters holds and uses the rest of the model.
struct FrozenBase {
  std::optional<BlockType> blocks = {};  // of its matrices, which then lie apart, as all that is frozen does
  double lora_dropout = 0;               // of what adapters read
};

/// The train step of a GPT as data. `params` outlives the call only. With `preference.pairs` documents are
/// replies in pairs: losses are those of pairs, and "tokens that counted" are pairs that did.
plan::Plan build_train_plan(const GptParams& params, const TrainPlanOptions& options,
                            const vk::Target& target, const FrozenBase& base = {},
                            const Preference& preference = {});

/// Taps of the eager pass in the segment `micro_step`: statistics of the residual stream inside every block,
/// each in a readback tensor (1, 4) named `tap_tensor(tap.tensor)`.
std::vector<plan::Tap> activation_taps(const GptConfig& config, const char* micro_step);
std::string tap_tensor(std::string_view name);

/// Floating-point operations that training spends on one token by the usual count, 6 N + 12 L C T, with N the
/// parameters without position embeddings (Chowdhery et al. 2022, appendix B).
double train_flops_per_token(const GptConfig& config);

}  // namespace vkgpt::model
