#include "vkgpt/train/curriculum.hpp"

#include <algorithm>

namespace vkgpt::train {

std::vector<CurriculumStage> curriculum_stages(const TrainConfig& config, std::int64_t block_size) {
  std::vector<CurriculumStage> stages;
  if (config.curriculum) {
    for (std::int64_t T = config.curriculum_start_block_size; T < block_size; T *= 2)
      stages.push_back({0, T});
  }
  const double short_steps = static_cast<double>(config.max_steps) * config.curriculum_fraction;
  const auto count = static_cast<double>(stages.size());
  for (std::size_t i = 0; i < stages.size(); ++i) {
    stages[i].first_step = static_cast<std::int64_t>(short_steps * static_cast<double>(i) / count);
  }
  stages.push_back({stages.empty() ? 0 : static_cast<std::int64_t>(short_steps), block_size});
  return stages;
}

std::size_t stage_of(const std::vector<CurriculumStage>& stages, std::int64_t step) {
  const auto next = std::ranges::upper_bound(stages, step, {}, &CurriculumStage::first_step);
  return static_cast<std::size_t>(next - stages.begin()) - 1;
}

}  // namespace vkgpt::train
