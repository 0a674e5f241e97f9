#pragma once

#include <span>

#include "vkgpt/core/config_field.hpp"
#include "vkgpt/model/gpt_params.hpp"
#include "vkgpt/train/train_config.hpp"

namespace vkgpt::train {

/// Takes rank, scale (as lora_alpha = scale * rank) and targets of --init_adapter over into `config`, of
/// which `fields` know what was given. Throws usage errors for given settings that contradict them and for
/// an --init_from with adapters of its own, and `Error`, one line, for adapters that cannot be read, are of
/// another model, or give the projections of one matrix (q, k, v; gate, up) an A each or leave out some of
/// them: here they share one.
void take_adapter_settings(const FieldSet& fields, const model::GptConfig& model, TrainConfig& config);

/// Copies the factors of --init_adapter, if there is one, into the arena of `params` or its trainable part.
/// Throws `Error` as `take_adapter_settings` does.
void read_init_adapter(const TrainConfig& config, const model::GptParams& params, std::span<float> arena);

/// Whether two choices of layers give adapters to the same ones. Throws usage errors as `GptParams` does.
bool same_layers(const model::GptConfig& model, const model::Adaptation& one, const model::Adaptation& other);

}  // namespace vkgpt::train
