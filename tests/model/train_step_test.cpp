#include "vkgpt/model/train_step.hpp"

#include <vector>

#include <gtest/gtest.h>

#include "vkgpt/core/check.hpp"

namespace vkgpt::model {
namespace {

TEST(StepResults, AreReadFromTheReadback) {
  const std::vector<float> readback = {2.5F, 0.75F, 0.125F, 1, 4, 0, 0, 0};
  const StepResults results = step_results(readback);
  EXPECT_EQ(results.loss, 2.5F);
  EXPECT_EQ(results.grad_norm, 0.75F);
  EXPECT_EQ(results.clip_scale, 0.5F) << "the loss scale is taken back";
  EXPECT_TRUE(results.skipped);
  EXPECT_EQ(results.loss_scale, 4);
  EXPECT_THROW(step_results(std::span(readback).first(5)), CheckFailure);
}

}  // namespace
}  // namespace vkgpt::model
