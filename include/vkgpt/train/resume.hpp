#pragma once

#include <optional>

#include "vkgpt/model/gpt_config.hpp"
#include "vkgpt/model/train_step.hpp"
#include "vkgpt/text/corpus/corpus.hpp"
#include "vkgpt/train/checkpoint.hpp"
#include "vkgpt/train/train_config.hpp"
#include "vkgpt/train/trainer_state.hpp"
#include "vkgpt/vk/target.hpp"

namespace vkgpt::train {

/// The state of a checkpoint that a run is about to continue from, with what it tells of the data those that
/// it goes on with. Throws a usage error where the checkpoint holds a model of another shape, was trained
/// with another seed, or, unless `config.allow_other_data`, on another text. On other data, or with another
/// part of them for validation, the best loss so far says nothing and is dropped.
TrainerState resume_state(const Checkpoint& checkpoint, const model::GptConfig& model_config,
                          const TrainConfig& config, const text::Corpus& corpus);

/// `config` with a batch size: its own, or where that is automatic the one the checkpoint was trained with,
/// or as large as the device's memory allows, for a step of `ranks`.
TrainConfig with_settled_batch_size(TrainConfig config, const model::GptConfig& model_config,
                                    const std::optional<Checkpoint>& checkpoint, const vk::Target& target,
                                    const model::RankOptions& ranks);

}  // namespace vkgpt::train
