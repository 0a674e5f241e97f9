#include "vkgpt/model/gpt_config.hpp"

#include <gtest/gtest.h>

#include "vkgpt/core/error.hpp"

#include "support/expect_error.hpp"

namespace vkgpt::model {
namespace {

TEST(GptConfig, DefaultsAreSeedSizedAndValid) {
  GptConfig config;
  EXPECT_NO_THROW(config.validate());
  EXPECT_EQ(config.head_size(), 32);
}

TEST(GptConfig, PadsTheVocabularyTo64) {
  GptConfig config;
  for (const auto& [vocab, padded] : {std::pair{1, 64}, {64, 64}, {65, 128}, {50257, 50304}}) {
    config.vocab_size = vocab;
    EXPECT_EQ(config.padded_vocab_size(), padded);
  }
}

TEST(GptConfig, AllowsHeadSizes16To256InStepsOf4) {
  for (std::int64_t head = 1; head <= 270; ++head) {
    GptConfig config;
    config.n_head = 3;
    config.n_embd = 3 * head;
    if (head >= 16 && head <= 256 && head % 4 == 0) {
      EXPECT_NO_THROW(config.validate()) << head;
    } else {
      EXPECT_THROW(config.validate(), Error) << head;
    }
  }
}

TEST(GptConfig, RefusesAWidthThatTheHeadsDoNotDivide) {
  GptConfig config;
  config.n_embd = 100;
  config.n_head = 3;
  try {
    config.validate();
    FAIL();
  } catch (const Error& error) {
    EXPECT_EQ(error.exit_code(), ExitCode::kUsage);
    EXPECT_STREQ(error.what(), "n_embd = 100 is not a multiple of n_head = 3");
  }
}

TEST(GptConfig, ResolvesWidthsThatFollowFromOthers) {
  GptConfig config;
  EXPECT_EQ(config.inner_width(), 512);
  config.mlp = "swiglu";
  EXPECT_EQ(config.inner_width(), 384) << "8/3 of 128, up to a multiple of 64";
  config.n_inner = 100;
  EXPECT_EQ(config.inner_width(), 100);
  EXPECT_EQ(config.qkv_width(), 3 * 128);
  config.n_kv_head = 1;
  EXPECT_EQ(config.qkv_width(), 128 + 2 * 32);
}

TEST(GptConfig, TellsLayersAndTheirPositionsApart) {
  GptConfig config;
  config.pos_encoding = "rope";
  config.rope_layers = "lrn";
  EXPECT_TRUE(config.layer_has_rope(0) && config.layer_rope_is_local(0));
  EXPECT_TRUE(config.layer_has_rope(1) && !config.layer_rope_is_local(1));
  EXPECT_FALSE(config.layer_has_rope(2) || config.layer_rope_is_local(2));
  EXPECT_EQ(config.head_magnitude(), 1);
  config.attention_scalar = 2;
  EXPECT_DOUBLE_EQ(config.head_magnitude(), 2) << "16^(1/4), of heads of 32";
  expect_error([&] { config.validate(); }, "attention_scalar = 2 needs rotary positions in all layers");
  config.rope_layers = "lrx";
  expect_error([&] { config.validate(); }, "rope_layers = lrx: it is made of the letters rln");
  config.rope_layers = "l";
  config.branch_norms = config.parallel_blocks = true;
  expect_error([&] { config.validate(); }, "branch_norms and parallel_blocks");
}

TEST(GptConfig, RefusesHeadsThatDoNotFit) {
  GptConfig config;
  config.n_kv_head = 3;
  expect_error([&] { config.validate(); }, "n_head = 4 is not a multiple of n_kv_head = 3");
}

TEST(GptConfig, AWindowThatIsNoShorterThanTheContextIsWithoutEffect) {
  GptConfig config;
  config.window_layers = "wf";
  for (const std::int64_t window : {config.block_size, config.block_size + 1}) {
    config.attention_window = window;
    config.validate();
    EXPECT_FALSE(config.has_window());
    EXPECT_EQ(config.layer_window(0), 0);
    EXPECT_TRUE(config.layer_has_window(0) && !config.layer_has_window(1));
  }
  config.block_size *= 2;
  EXPECT_EQ(config.layer_window(0), 129);
  EXPECT_EQ(config.layer_window(1), 0);
}

}  // namespace
}  // namespace vkgpt::model
