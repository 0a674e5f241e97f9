#include "reference/gpt2_model.hpp"

#include <cmath>

#include <gtest/gtest.h>

#include "reference/compare.hpp"
#include "reference/finite_difference.hpp"

namespace vkgpt::reference {
namespace {

constexpr std::size_t B = 2, T = 5;

Gpt2Config tiny(bool tied) {
  return {.V = 11, .Vp = 16, .L = 2, .NH = 2, .C = 8, .T_max = 6, .tied = tied};
}

void check_every_gradient(const Gpt2Config& config) {
  constexpr double kUpstream = 1.75;
  Gpt2Model model(config, random_parameters(config, 1));
  const std::vector<std::int32_t> tokens = random_tokens(B * T, 2, 11);
  std::vector<std::int32_t> targets = random_tokens(B * T, 3, 11);
  targets[4] = -1;
  const Gpt2Gradients result = model.backward(tokens, targets, B, T, kUpstream);
  const auto loss = [&] { return kUpstream * model.forward(tokens, targets, B, T).loss; };
  EXPECT_DOUBLE_EQ(kUpstream * result.output.loss, loss());
  for (NamedTensor& parameter : model.parameters().tensors()) {
    SCOPED_TRACE(parameter.name);
    expect_gradient(parameter.values, result.gradients[parameter.name], loss, 40);
  }
}

TEST(ReferenceGpt2, TiedGradientMatchesFiniteDifferences) {
  check_every_gradient(tiny(true));
}

TEST(ReferenceGpt2, UntiedGradientMatchesFiniteDifferences) {
  check_every_gradient(tiny(false));
}

TEST(ReferenceGpt2, PaddedRowsStayZero) {
  const Gpt2Config config = tiny(true);
  Gpt2Model model(config, random_parameters(config, 1));
  Gpt2Optimizer optimizer(config);
  const std::vector<std::int32_t> tokens = random_tokens(B * T, 2, 11), targets = random_tokens(B * T, 3, 11);
  double first = 0.0, last = 0.0;
  for (int i = 0; i < 20; ++i) {
    last =
        optimizer.step(model, tokens, targets, B, T, {.learning_rate = 1e-2, .weight_decay = 0.1}, 1.0).loss;
    if (i == 0) first = last;
  }
  EXPECT_LT(last, 0.5 * first);
  const Vector& wte = model.parameters()["wte.weight"];
  for (std::size_t i = config.V * config.C; i < wte.size(); ++i) EXPECT_EQ(wte[i], 0.0);
}

TEST(ReferenceGpt2, LogitsIgnoreLaterTokensAndGreedySlides) {
  const Gpt2Config config = tiny(false);
  const Gpt2Model model(config, random_parameters(config, 5));
  std::vector<std::int32_t> tokens = random_tokens(T, 2, 11);
  const Vector before = model.logits(tokens, 1, T);
  tokens[T - 1] = (tokens[T - 1] + 1) % 11;
  const Vector after = model.logits(tokens, 1, T);
  for (std::size_t i = 0; i < (T - 1) * config.Vp; ++i) EXPECT_EQ(before[i], after[i]);
  EXPECT_NE(before, after);

  const std::vector<std::int32_t> text = model.greedy(tokens, 6);
  ASSERT_EQ(text.size(), T + 6);
  const std::vector<std::int32_t> again = model.greedy(TokenView(text).subspan(4, config.T_max), 1);
  EXPECT_EQ(again.back(), text.back());
}

}  // namespace
}  // namespace vkgpt::reference
