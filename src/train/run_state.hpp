#pragma once

#include <span>
#include <vector>

#include "vkgpt/core/file.hpp"
#include "vkgpt/model/model_directory.hpp"
#include "vkgpt/model/token_ids.hpp"
#include "vkgpt/train/checkpoint.hpp"
#include "vkgpt/train/step_runner.hpp"

namespace vkgpt::train {

/// Adds to a checkpoint all that the device holds: the model directory's configuration, weights, adapters and
/// averaged weights, and in `optimizer.safetensors` every state tensor of the plan under its own name.
/// Rank 0 calls it; the other ranks are in `RankState::send`. `ids` are the tokenizer's, for the
/// configuration.
void write_run_state(CheckpointWriter& out, StepRunner& runner, const model::TokenIds& ids = {});

/// Gives the runner the parameters and the state of a checkpoint. Throws `Error` for tensors that are missing
/// or of another shape.
void read_run_state(const Path& checkpoint, StepRunner& runner);

/// Gives the runner the base of its run, from its --init_from.
void set_base(StepRunner& runner);

/// Only the optimizer's part.
void read_optimizer_state(const Path& checkpoint, StepRunner& runner);

/// The same of another run's checkpoint: returns the steps that its optimizer had made, from which `runner`
/// counts on.
std::uint64_t keep_optimizer_state(const Path& checkpoint, StepRunner& runner);

/// The parameters (arena) that `--init_from` gives: those of a model, with fresh adapters where the run has
/// some. Throws `Error` when the model has another shape.
std::vector<float> parameters_from(const model::LoadedModel& model, const model::GptParams& params,
                                   std::uint64_t seed);

}  // namespace vkgpt::train
