#include "vkgpt/train/text_scorer.hpp"

#include <gtest/gtest.h>

#include "vkgpt/model/model_directory.hpp"
#include "vkgpt/train/evaluator.hpp"

#include "check/compare.hpp"
#include "gpu_context.hpp"
#include "support/train_run.hpp"

namespace vkgpt::train {
namespace {

TEST(GpuTextScorer, GivesEachTextItsOwnLikelihood) {
  model::GptConfig config = test::small_model();
  config.pos_encoding = "rope";
  const model::GptParams params(config);
  const std::vector<float> arena = model::initial_parameters(params, 3);
  std::vector<text::ScoredText> texts;
  for (const std::size_t length : {2, 18, 5, 9, 3, 7, 12, 4, 4, 6, 11}) {
    texts.push_back({.tokens = check::random_tokens(length, length + texts.size(), 29), .first_scored = 1});
  }
  const auto always = [] { return true; };
  TextScorer scorer(test::shared_context(), params, 2, arena);
  EXPECT_EQ(scorer.longest(), 18U);
  const std::vector<double> sums = *scorer.log_likelihoods(texts, always);
  Evaluator alone(test::shared_context(), params, 1, arena);
  for (std::size_t i = 0; i < texts.size(); ++i) {
    const double nats = alone.evaluate(std::span<const text::Token>(texts[i].tokens), always)->nats;
    EXPECT_NEAR(sums[i], -nats, 1e-5 * nats) << i;
  }
  // What is not scored is what the beginning alone would have.
  std::vector<text::ScoredText> parts = {texts[1], texts[1]};
  parts[0].tokens.resize(10);
  parts[1].first_scored = 10;
  const std::vector<double> two = *scorer.log_likelihoods(parts, always);
  EXPECT_NEAR(two[0] + two[1], sums[1], 1e-5 * -sums[1]);
  EXPECT_FALSE(scorer.log_likelihoods(texts, [] { return false; }).has_value());
  EXPECT_EQ(*scorer.log_likelihoods(texts, always), sums);
}

}  // namespace
}  // namespace vkgpt::train
