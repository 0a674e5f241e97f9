#include <cmath>

#include <gtest/gtest.h>

#include "golden/golden_file.hpp"
#include "reference/compare.hpp"
#include "reference/gpt_model.hpp"

namespace vkgpt::reference {
namespace {

using Golden = std::map<std::string, golden::Tensor>;

/// Relative to the tensor's largest value: its smallest ones are rounding of sums that cancel.
constexpr double kRelative = 1e-5;

class Gpt2Golden : public testing::TestWithParam<const char*> {
 protected:
  void SetUp() override {
    golden_ = golden::load(GetParam());
    const std::vector<std::int32_t> fields = golden_.at("config").ints();
    ASSERT_EQ(fields.size(), 7U);
    config_.vocab_size = fields[0];
    config_.block_size = fields[1];
    config_.n_layer = fields[2];
    config_.n_head = fields[3];
    config_.n_embd = fields[4];
    config_.tie_weights = fields[6] != 0;
    B_ = static_cast<std::size_t>(fields[5]);
    T_ = static_cast<std::size_t>(fields[1]);
    tokens_ = golden_.at("tokens").ints();
    targets_ = golden_.at("targets").ints();
  }

  GptModel model() const {
    const model::GptParams params(config_);
    Vector arena(static_cast<std::size_t>(params.arena_elements()), 0.0);
    for (const model::ParamSpec& spec : params.specs()) {
      const std::vector<float>& values = golden_.at("param/" + spec.name).values;
      std::ranges::copy(values, part(params, std::span(arena), spec.name).begin());
    }
    return {config_, std::move(arena)};
  }

  Golden golden_;
  model::GptConfig config_;
  std::size_t B_ = 0;
  std::size_t T_ = 0;
  std::vector<std::int32_t> tokens_;   // (B, T)
  std::vector<std::int32_t> targets_;  // (B, T)
};

void expect_relative(View actual, const std::vector<float>& expected) {
  ASSERT_EQ(actual.size(), expected.size());
  double largest = 0.0;
  for (const float value : expected) largest = std::max(largest, std::abs(static_cast<double>(value)));
  ASSERT_GT(largest, 0.0);
  for (std::size_t i = 0; i < expected.size(); ++i)
    ASSERT_NEAR(actual[i], expected[i], kRelative * largest) << "element " << i;
}

TEST_P(Gpt2Golden, HasExactlyTheParametersOfTheModel) {
  const model::GptParams params(config_);
  std::size_t in_file = 0;
  for (const auto& [name, tensor] : golden_) in_file += name.starts_with("param/") ? 1 : 0;
  EXPECT_EQ(in_file, params.specs().size());
  for (const model::ParamSpec& spec : params.specs()) {
    std::vector<std::int64_t> shape(spec.shape.dims().begin(), spec.shape.dims().end());
    if (spec.name == "wte.weight" || spec.name == "lm_head.weight") shape[0] = config_.vocab_size;
    EXPECT_EQ(golden_.at("param/" + spec.name).shape, shape) << spec.name;
  }
}

TEST_P(Gpt2Golden, LogitsLossAndGradients) {
  const GptGradients result = model().backward(tokens_, targets_, B_, T_);
  const auto V = static_cast<std::size_t>(config_.vocab_size);
  const auto Vp = static_cast<std::size_t>(config_.padded_vocab_size());
  const model::GptParams params(config_);
  Vector logits;
  for (std::size_t n = 0; n < B_ * T_; ++n) {
    const View row = View(result.output.logits).subspan(n * Vp, V);
    logits.insert(logits.end(), row.begin(), row.end());
  }
  expect_relative(logits, golden_.at("logits").values);
  expect_relative(View(&result.output.loss, 1), golden_.at("loss").values);
  for (const model::ParamSpec& spec : params.specs()) {
    SCOPED_TRACE(spec.name);
    const View gradient = part(params, View(result.arena), spec.name);
    const std::vector<float>& expected = golden_.at("grad/" + spec.name).values;
    ASSERT_LE(expected.size(), gradient.size());
    expect_relative(gradient.first(expected.size()), expected);
    for (std::size_t i = expected.size(); i < gradient.size(); ++i) ASSERT_EQ(gradient[i], 0.0);
  }
}

TEST_P(Gpt2Golden, TenAdamWSteps) {
  GptModel trained = model();
  GptAdamW optimizer(trained.params());
  const AdamW adamw{.learning_rate = 1e-3, .beta1 = 0.9, .beta2 = 0.95, .eps = 1e-8, .weight_decay = 0.1};
  const std::vector<float>& losses = golden_.at("losses").values;
  const std::vector<float>& norms = golden_.at("grad_norms").values;
  ASSERT_EQ(losses.size(), 10U);
  ASSERT_EQ(norms.size(), 10U);
  for (std::size_t i = 0; i < losses.size(); ++i) {
    const GptStep step = optimizer.step(trained, tokens_, targets_, B_, T_, adamw, 1.0);
    EXPECT_NEAR(step.loss, losses[i], kRelative * losses[i]) << "step " << i;
    EXPECT_NEAR(step.norm, norms[i], kRelative * norms[i]) << "step " << i;
  }
}

TEST_P(Gpt2Golden, GreedyTokens) {
  const std::vector<std::int32_t> prompt = golden_.at("prompt").ints(),
                                  expected = golden_.at("greedy").ints();
  ASSERT_GT(expected.size(), prompt.size());
  EXPECT_EQ(model().greedy(prompt, expected.size() - prompt.size()), expected);
}

INSTANTIATE_TEST_SUITE_P(Files, Gpt2Golden,
                         testing::Values("gpt2_tiny.safetensors", "gpt2_tiny_untied.safetensors"),
                         [](const auto& test) { return test.index == 0 ? "Tied" : "Untied"; });

}  // namespace
}  // namespace vkgpt::reference
