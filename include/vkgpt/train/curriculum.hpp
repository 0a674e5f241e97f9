#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "vkgpt/train/train_config.hpp"

namespace vkgpt::train {

/// A run of steps with one context length.
struct CurriculumStage {
  std::int64_t first_step = 0;
  std::int64_t T = 0;  // tokens of a sequence

  friend bool operator==(const CurriculumStage&, const CurriculumStage&) = default;
};

/// Context lengths over a run: from `curriculum_start_block_size`, doubled in stages of equal length over the
/// first `curriculum_fraction` of the steps, then `block_size`. Without a curriculum, that alone.
/// (Shortformer, Press et al., arXiv:2012.15832, has two such stages.)
std::vector<CurriculumStage> curriculum_stages(const TrainConfig& config, std::int64_t block_size);

/// The index of the stage that `step` (from 0) belongs to.
std::size_t stage_of(const std::vector<CurriculumStage>& stages, std::int64_t step);

}  // namespace vkgpt::train
