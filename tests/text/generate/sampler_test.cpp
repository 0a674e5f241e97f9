#include "vkgpt/text/generate/sampler.hpp"

#include <array>
#include <cmath>
#include <limits>
#include <set>

#include <gtest/gtest.h>

#include "vkgpt/core/error.hpp"

namespace vkgpt::text {
namespace {

constexpr float kInf = std::numeric_limits<float>::infinity();
constexpr float kNan = std::numeric_limits<float>::quiet_NaN();

SamplerConfig config(double temperature, std::int64_t top_k = 0, double top_p = 1, double penalty = 1) {
  return {.temperature = temperature, .top_k = top_k, .top_p = top_p, .repetition_penalty = penalty};
}

/// Logits of the given probabilities.
std::vector<float> logits_of(const std::vector<double>& probabilities) {
  std::vector<float> logits;
  for (const double p : probabilities) logits.push_back(static_cast<float>(std::log(p)));
  return logits;
}

std::vector<double> frequencies(const SamplerConfig& settings, std::span<const float> logits,
                                std::span<const Token> context = {}, int draws = 20000) {
  Sampler sampler(settings, 42, 0);
  std::vector<double> counts(logits.size());
  for (int i = 0; i < draws; ++i) {
    counts[static_cast<std::size_t>(sampler.draw(logits, context, static_cast<std::uint32_t>(i)))] += 1;
  }
  for (double& count : counts) count /= draws;
  return counts;
}

TEST(Sampler, GreedyTakesTheFirstOfTheLargest) {
  Sampler sampler(config(0), 1, 0);
  EXPECT_EQ(sampler.draw(std::array{1.F, 3.F, 3.F, -kInf}, {}, 0), 1);
}

TEST(Sampler, DrawsInProportion) {
  const auto found = frequencies(config(1), logits_of({0.5, 0.3, 0.15, 0.05}));
  EXPECT_NEAR(found[0], 0.5, 0.015);
  EXPECT_NEAR(found[1], 0.3, 0.015);
  EXPECT_NEAR(found[2], 0.15, 0.01);
  EXPECT_NEAR(found[3], 0.05, 0.01);
}

TEST(Sampler, TemperatureSharpens) {
  // At temperature 1/2 probabilities are squared: 0.64 : 0.04.
  const auto found = frequencies(config(0.5), logits_of({0.8, 0.2}));
  EXPECT_NEAR(found[0], 0.64 / 0.68, 0.01);
  EXPECT_EQ(frequencies(config(1e-9), logits_of({0.5001, 0.4999}))[0], 1.0);
}

TEST(Sampler, TopKKeepsTheLargestAndTies) {
  const auto logits = logits_of({0.1, 0.4, 0.2, 0.2, 0.1});
  const auto two = frequencies(config(1, 2), logits);
  EXPECT_EQ(two[0] + two[4], 0);
  EXPECT_NEAR(two[1], 0.5, 0.02);
  EXPECT_NEAR(two[2], 0.25, 0.02);
  EXPECT_NEAR(two[3], 0.25, 0.02);
  EXPECT_EQ(frequencies(config(1, 1), logits)[1], 1.0);
  EXPECT_NEAR(frequencies(config(1, 100), logits)[1], 0.4, 0.02);
}

TEST(Sampler, TopPKeepsTheSmallestSetThatReachesIt) {
  const auto logits = logits_of({0.1, 0.5, 0.3, 0.1});
  const auto found = frequencies(config(1, 0, 0.6), logits);
  EXPECT_EQ(found[0] + found[3], 0);
  EXPECT_NEAR(found[1], 0.625, 0.015);
  EXPECT_NEAR(found[2], 0.375, 0.015);
  EXPECT_EQ(frequencies(config(1, 0, 1e-9), logits)[1], 1.0);
}

TEST(Sampler, RepetitionPenaltyDividesPositiveAndMultipliesNegativeLogitsOnce) {
  // Greedy shows the changed order: 2 / 2 = 1 < 1.5, and -1 * 2 < -1.5.
  Sampler sampler(config(0, 0, 1, 2), 1, 0);
  EXPECT_EQ(sampler.draw(std::array{2.F, 1.5F}, std::array{Token{0}, Token{0}}, 0), 1);
  EXPECT_EQ(sampler.draw(std::array{2.F, 0.75F}, std::array{Token{0}, Token{0}}, 0), 0);
  EXPECT_EQ(sampler.draw(std::array{-1.F, -1.5F}, std::array{Token{0}}, 0), 1);
}

TEST(Sampler, DependsOnSeedSampleAndPositionOnly) {
  const std::vector<float> logits(1000, 0.F);
  const auto text = [&](std::uint64_t seed, std::uint32_t sample) {
    Sampler sampler(config(1), seed, sample);
    std::vector<Token> tokens;
    for (std::uint32_t i = 0; i < 16; ++i) tokens.push_back(sampler.draw(logits, {}, i));
    return tokens;
  };
  EXPECT_EQ(text(7, 0), text(7, 0));
  EXPECT_NE(text(7, 0), text(8, 0));
  EXPECT_NE(text(7, 0), text(7, 1));
  EXPECT_EQ(Sampler(config(1), 7, 0).draw(logits, {}, 9), text(7, 0)[9]);
  const auto tokens = text(7, 0);
  EXPECT_GT(std::set<Token>(tokens.begin(), tokens.end()).size(), 12U);
}

TEST(Sampler, NeverDrawsAnExcludedToken) {
  const auto found = frequencies(config(1), std::array{-kInf, 0.F, -kInf, 0.F});
  EXPECT_EQ(found[0] + found[2], 0);
  EXPECT_NEAR(found[1], 0.5, 0.02);
}

TEST(Sampler, RefusesBrokenLogits) {
  Sampler sampler(config(1), 1, 0);
  EXPECT_THROW(sampler.draw(std::array{0.F, kNan}, {}, 0), Error);
  EXPECT_THROW(sampler.draw(std::array{0.F, kInf}, {}, 0), Error);
  EXPECT_THROW(sampler.draw(std::array{-kInf, -kInf}, {}, 0), Error);
}

}  // namespace
}  // namespace vkgpt::text
