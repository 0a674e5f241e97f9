#include "vkgpt/train/curriculum.hpp"

#include <gtest/gtest.h>

namespace vkgpt::train {
namespace {

TEST(Curriculum, WithoutOneThereIsOneStage) {
  EXPECT_EQ(curriculum_stages({}, 128), (std::vector<CurriculumStage>{{0, 128}}));
}

TEST(Curriculum, DoublesOverTheFirstPartOfTheRun) {
  TrainConfig config;
  config.curriculum = true;
  config.max_steps = 100;
  config.curriculum_start_block_size = 24;
  config.curriculum_fraction = 0.6;
  const std::vector<CurriculumStage> stages = curriculum_stages(config, 128);
  EXPECT_EQ(stages, (std::vector<CurriculumStage>{{0, 24}, {20, 48}, {40, 96}, {60, 128}}));
  EXPECT_EQ(stage_of(stages, 0), 0U);
  EXPECT_EQ(stage_of(stages, 19), 0U);
  EXPECT_EQ(stage_of(stages, 20), 1U);
  EXPECT_EQ(stage_of(stages, 1000), 3U);
}

}  // namespace
}  // namespace vkgpt::train
