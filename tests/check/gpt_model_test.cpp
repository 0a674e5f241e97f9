#include "check/gpt_model.hpp"

#include <cmath>

#include <gtest/gtest.h>

#include "check/compare.hpp"
#include "check/finite_difference.hpp"
#include "check/gpt_optimizer.hpp"
#include "support/architecture_grid.hpp"

namespace vkgpt::check {
namespace {

class ReferenceGpt : public testing::TestWithParam<model::GptConfig> {
 protected:
  GptModel model() const { return {GetParam(), random_parameters(model::GptParams(GetParam()), 1)}; }
  std::vector<std::int32_t> tokens(std::size_t count, std::uint64_t seed) const {
    return random_tokens(count, seed, static_cast<std::int32_t>(GetParam().vocab_size));
  }
};

TEST_P(ReferenceGpt, GradientsMatchFiniteDifferences) {
  constexpr std::size_t B = 1, T = 9;
  constexpr double kUpstream = 1.75;
  constexpr LossShaping kShaping{.label_smoothing = 0.1, .z_loss = 1e-2};
  GptModel gpt = model();
  std::vector<std::int32_t> targets = tokens(T, 3);
  targets[4] = -1;
  const std::vector<std::int32_t> input = tokens(T, 2);
  const GptGradients result = gpt.backward(input, targets, B, T, kShaping, kUpstream);
  const auto loss = [&] { return kUpstream * gpt.forward(input, targets, B, T, kShaping).loss; };
  EXPECT_DOUBLE_EQ(kUpstream * result.output.loss, loss());

  for (const model::ParamSpec& spec : gpt.params().specs()) {
    SCOPED_TRACE(spec.name);
    const std::span<double> values = part(gpt.params(), std::span(gpt.arena()), spec.name);
    const View gradient = part(gpt.params(), View(result.arena), spec.name);
    const Vector start(values.begin(), values.end());
    // All elements at once, along random directions, and a few alone.
    Vector along{0.0, 0.0, 0.0, 0.0};
    Vector slopes(along.size(), 0.0);
    std::vector<Vector> directions{random_doubles(values.size(), 5), random_doubles(values.size(), 6)};
    for (const std::size_t i : {values.size() / 3, values.size() / 2}) {
      directions.emplace_back(values.size(), 0.0);
      directions.back()[i] = 1.0;
    }
    for (std::size_t d = 0; d < along.size(); ++d) slopes[d] = weighted_sum(directions[d], gradient);
    expect_gradient(along, slopes, [&] {
      std::ranges::copy(start, values.begin());
      for (std::size_t d = 0; d < along.size(); ++d)
        for (std::size_t i = 0; along[d] != 0.0 && i < values.size(); ++i)
          values[i] += along[d] * directions[d][i];
      return loss();
    });
    std::ranges::copy(start, values.begin());
    EXPECT_GT(global_norm(gradient), 1e-4);
  }
}

TEST_P(ReferenceGpt, LogitsSeeTheWindowAndNothingLater) {
  const GptModel gpt = model();
  const auto T = static_cast<std::size_t>(GetParam().block_size);
  const auto Vp = static_cast<std::size_t>(GetParam().padded_vocab_size());
  constexpr std::size_t kChanged = 2;
  std::vector<std::int32_t> input = tokens(T, 2);
  const Vector before = gpt.logits(input, 1, T);
  input[kChanged] = (input[kChanged] + 1) % static_cast<std::int32_t>(GetParam().vocab_size);
  const Vector after = gpt.logits(input, 1, T);
  // Each layer looks back on window - 1 positions.
  std::size_t end = kChanged + 1;
  for (std::int64_t layer = 0; layer < GetParam().n_layer; ++layer) {
    const std::int64_t window = GetParam().layer_window(layer);
    end = window == 0 ? T : end + static_cast<std::size_t>(window) - 1;
  }
  for (std::size_t t = 0; t < T; ++t) {
    const bool same = std::ranges::equal(View(before).subspan(t * Vp, Vp), View(after).subspan(t * Vp, Vp));
    EXPECT_EQ(same, t < kChanged || t >= end) << "position " << t;
  }
  for (const double logit : before) {
    if (GetParam().logit_softcap > 0) {
      EXPECT_LE(std::abs(logit), GetParam().logit_softcap);
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Architectures, ReferenceGpt, testing::ValuesIn(test::architecture_grid()),
                         [](const auto& test) { return test::architecture_name(test.param); });

TEST(ReferenceGptOptimizer, LearnsAndKeepsThePaddingZero) {
  constexpr std::size_t B = 2, T = 5;
  const model::GptConfig config = test::architecture_grid().front();
  GptModel gpt(config, random_parameters(model::GptParams(config), 1));
  GptOptimizer optimizer(gpt.params(), adamw_rule({.learning_rate = 1e-2, .weight_decay = 0.1}));
  const std::vector<std::int32_t> tokens = random_tokens(B * T, 2, 29), targets = random_tokens(B * T, 3, 29);
  double first = 0.0, last = 0.0;
  for (int i = 0; i < 10; ++i) {
    last = optimizer.step(gpt, tokens, targets, B, T, 1.0).loss;
    if (i == 0) first = last;
  }
  EXPECT_LT(last, 0.5 * first);
  const View wte = gpt.parameter("wte.weight");
  for (std::size_t i = 29 * 32; i < wte.size(); ++i) EXPECT_EQ(wte[i], 0.0);
}

TEST(ReferenceGptGreedy, SlidesOverTheLastTokens) {
  model::GptConfig config = test::architecture_grid().front();
  config.block_size = 6;
  const GptModel gpt(config, random_parameters(model::GptParams(config), 5));
  const std::vector<std::int32_t> text = gpt.greedy(random_tokens(5, 2, 29), 6);
  ASSERT_EQ(text.size(), 11U);
  EXPECT_EQ(gpt.greedy(TokenView(text).subspan(4, 6), 1).back(), text.back());
}

}  // namespace
}  // namespace vkgpt::check
