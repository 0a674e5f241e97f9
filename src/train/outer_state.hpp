#pragma once

#include <cstddef>
#include <vector>

#include "vkgpt/core/file.hpp"
#include "vkgpt/model/safetensors.hpp"
#include "vkgpt/train/checkpoint.hpp"
#include "vkgpt/train/outer_step.hpp"
#include "vkgpt/train/step_runner.hpp"

namespace vkgpt::train {

/// What a checkpoint of workers that train apart holds beyond that of one: the outer momentum and the
/// optimizer of every worker but the first. Between rounds all have the same weights.
inline constexpr const char* kOuterFile = "diloco.safetensors";

struct OuterState {
  std::vector<float> momentum;
  struct Tensor {
    model::SafetensorsTensor info;
    std::vector<std::byte> bytes;
  };
  std::vector<Tensor> workers;  // worker_1.adam_m, ...
};

/// All ranks together; rank 0 has it then.
OuterState gather_outer_state(StepRunner& runner, OuterStep& outer);
void write_outer_state(CheckpointWriter& out, const OuterState& state);
/// Gives this rank its part, after `read_run_state`. What the file does not have, since the run had fewer
/// workers or none, stays that of the first.
void read_outer_state(const Path& checkpoint, StepRunner& runner, OuterStep& outer);

}  // namespace vkgpt::train
