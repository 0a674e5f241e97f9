#include "vkgpt/core/suggest.hpp"

#include <vector>

#include <gtest/gtest.h>

namespace vkgpt {
namespace {

TEST(Suggest, CountsEdits) {
  EXPECT_EQ(edit_distance("", "abc"), 3U);
  EXPECT_EQ(edit_distance("kitten", "sitting"), 3U);
  EXPECT_EQ(edit_distance("seed", "sede"), 1U);
  EXPECT_EQ(edit_distance("same", "same"), 0U);
}

TEST(Suggest, NamesTheNearestWordOrNone) {
  const std::vector<std::string> known = {"n_layer", "n_head", "learning_rate", "seed"};
  EXPECT_EQ(nearest_word("n_layers", known), "n_layer");
  EXPECT_EQ(nearest_word("learnign_rat", known), "learning_rate");
  EXPECT_EQ(nearest_word("zebra", known), "");
  EXPECT_EQ(nearest_word("x", known), "");
  EXPECT_EQ(nearest_word(std::string(1 << 20, 'n'), known), "");
}

}  // namespace
}  // namespace vkgpt
