#include "vkgpt/train/context_change.hpp"

#include <string>
#include <utility>
#include <vector>

#include <gtest/gtest.h>

#include "support/expect_error.hpp"

namespace vkgpt::train {
namespace {

model::GptConfig changed(const model::GptConfig& loaded,
                         const std::vector<std::pair<std::string, std::string>>& flags) {
  model::GptConfig wished;
  FieldSet fields(wished);
  for (const auto& [key, text] : flags) fields.set({.key = key, .text = text, .where = "--" + key});
  return with_changed_context(loaded, wished, fields);
}

TEST(ContextChange, ChangesContextAndStretchingAlone) {
  model::GptConfig rope;
  rope.pos_encoding = "rope";
  rope.block_size = 2048;
  EXPECT_EQ(changed(rope, {}), rope);
  const model::GptConfig shorter = changed(rope, {{"block_size", "512"}});
  EXPECT_EQ(shorter.block_size, 512);
  EXPECT_EQ(shorter.original_context(), 2048);
  const model::GptConfig longer =
      changed(rope, {{"block_size", "8192"}, {"rope_scaling", "yarn"}, {"rope_factor", "4"}});
  EXPECT_EQ(longer.block_size, 8192);
  EXPECT_EQ(longer.original_context(), 2048) << "that of the model";
  EXPECT_EQ(longer.rope_scaling, "yarn");
  EXPECT_EQ(longer.rope_factor, 4);
  EXPECT_EQ(changed(longer, {{"rope_scaling", "none"}}).rope_scaling, "none");
  EXPECT_EQ(changed(rope, {{"n_layer", "7"}}), rope) << "no business of this";
}

TEST(ContextChange, RefusesMoreLearnedPositions) {
  const model::GptConfig learned;
  EXPECT_EQ(changed(learned, {{"block_size", "64"}}).block_size, 64);
  expect_error([&] { changed(learned, {{"block_size", "256"}}); },
               "block_size = 256: the model learned 128 positions and has no more");
  model::GptConfig rope = learned;
  rope.pos_encoding = "rope";
  expect_error([&] { changed(rope, {{"rope_scaling", "yarn"}, {"rope_beta_fast", "0.5"}}); },
               "rope_beta_fast = 0.5 must be above rope_beta_slow = 1");
}

}  // namespace
}  // namespace vkgpt::train
