#include "vkgpt/model/gpt_config.hpp"

#include <gtest/gtest.h>

#include "vkgpt/core/error.hpp"

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

TEST(GptConfig, AllowsHeadSizes16To128InStepsOf4) {
  for (std::int64_t head = 1; head <= 140; ++head) {
    GptConfig config;
    config.n_head = 3;
    config.n_embd = 3 * head;
    if (head >= 16 && head <= 128 && head % 4 == 0) {
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

}  // namespace
}  // namespace vkgpt::model
