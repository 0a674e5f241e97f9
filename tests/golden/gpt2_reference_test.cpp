#include <cmath>

#include <gtest/gtest.h>

#include "golden/golden_file.hpp"
#include "reference/compare.hpp"
#include "reference/gpt2_model.hpp"

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
    const std::vector<std::size_t> sizes(fields.begin(), fields.end());
    config_ = {.V = sizes[0],
               .Vp = (sizes[0] + 63) / 64 * 64,
               .L = sizes[2],
               .NH = sizes[3],
               .C = sizes[4],
               .T_max = sizes[1],
               .tied = sizes[6] != 0};
    B_ = sizes[5];
    T_ = sizes[1];
    tokens_ = golden_.at("tokens").ints();
    targets_ = golden_.at("targets").ints();
  }

  Gpt2Model model() const {
    Gpt2Parameters parameters(config_);
    for (const NamedTensor& tensor : parameters.tensors())
      parameters.assign(tensor.name, to_double(golden_.at("param/" + tensor.name).values));
    return {config_, std::move(parameters)};
  }

  Golden golden_;
  Gpt2Config config_;
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
  const Gpt2Parameters parameters(config_);
  std::size_t in_file = 0;
  for (const auto& [name, tensor] : golden_) in_file += name.starts_with("param/") ? 1 : 0;
  EXPECT_EQ(in_file, parameters.tensors().size());
  for (const NamedTensor& tensor : parameters.tensors()) {
    std::vector<std::int64_t> shape(tensor.shape.begin(), tensor.shape.end());
    if (tensor.name == "wte.weight" || tensor.name == "lm_head.weight")
      shape[0] = static_cast<std::int64_t>(config_.V);
    EXPECT_EQ(golden_.at("param/" + tensor.name).shape, shape) << tensor.name;
  }
}

TEST_P(Gpt2Golden, LogitsLossAndGradients) {
  const Gpt2Gradients result = model().backward(tokens_, targets_, B_, T_);
  Vector logits;
  for (std::size_t n = 0; n < B_ * T_; ++n) {
    const View row = View(result.output.logits).subspan(n * config_.Vp, config_.V);
    logits.insert(logits.end(), row.begin(), row.end());
  }
  expect_relative(logits, golden_.at("logits").values);
  expect_relative(View(&result.output.loss, 1), golden_.at("loss").values);
  for (const NamedTensor& gradient : result.gradients.tensors()) {
    SCOPED_TRACE(gradient.name);
    const std::vector<float>& expected = golden_.at("grad/" + gradient.name).values;
    ASSERT_LE(expected.size(), gradient.values.size());
    expect_relative(View(gradient.values).first(expected.size()), expected);
    for (std::size_t i = expected.size(); i < gradient.values.size(); ++i) ASSERT_EQ(gradient.values[i], 0.0);
  }
}

TEST_P(Gpt2Golden, TenAdamWSteps) {
  Gpt2Model trained = model();
  Gpt2Optimizer optimizer(config_);
  const AdamW adamw{.learning_rate = 1e-3, .beta1 = 0.9, .beta2 = 0.95, .eps = 1e-8, .weight_decay = 0.1};
  const std::vector<float>& losses = golden_.at("losses").values;
  const std::vector<float>& norms = golden_.at("grad_norms").values;
  ASSERT_EQ(losses.size(), 10U);
  ASSERT_EQ(norms.size(), 10U);
  for (std::size_t i = 0; i < losses.size(); ++i) {
    const Gpt2Step step = optimizer.step(trained, tokens_, targets_, B_, T_, adamw, 1.0);
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
