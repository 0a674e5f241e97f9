// The reference model against what PyTorch and Hugging Face's models compute.

#include <cmath>

#include <gtest/gtest.h>

#include "check/compare.hpp"
#include "check/gpt_model.hpp"
#include "check/gpt_optimizer.hpp"
#include "golden/golden_file.hpp"

namespace vkgpt::check {
namespace {

/// Relative to the tensor's largest value: its smallest ones are rounding of sums that cancel.
constexpr double kRelative = 1e-6;

// As tests/golden/README.md says.
constexpr AdamW kAdamW{.learning_rate = 1e-3, .beta1 = 0.9, .beta2 = 0.95, .eps = 1e-8, .weight_decay = 0.1};
constexpr Muon kMuon{.learning_rate = 1e-3, .momentum = 0.95, .weight_decay = 0.1};
constexpr Lion kLion{.learning_rate = 3e-4, .beta1 = 0.9, .beta2 = 0.99, .weight_decay = 0.1};

class GptGolden : public testing::TestWithParam<const char*> {
 protected:
  GptModel model() const {
    Vector arena(static_cast<std::size_t>(params_.arena_elements()), 0.0);
    for (const model::ParamSpec& spec : params_.specs()) {
      const std::vector<float>& values = golden_.at("param/" + spec.name).values;
      std::ranges::copy(values, part(params_, std::span(arena), spec.name).begin());
    }
    return {config_, std::move(arena)};
  }

  /// Trains and compares with the tensors PREFIX + "losses" and PREFIX + "grad_norms".
  void expect_trajectory(const std::string& prefix, std::size_t steps, UpdateRule rule) const;

  /// Compares every parameter's part of `arena` with the tensor PREFIX + name.
  void expect_parts(const Vector& arena, const std::string& prefix) const;

  std::map<std::string, golden::Tensor> golden_ = golden::load(GetParam());
  model::GptConfig config_ = golden::load_config(GetParam());
  model::GptParams params_{config_};
  std::vector<std::int32_t> tokens_ = golden_.at("tokens").ints();    // (B, T)
  std::vector<std::int32_t> targets_ = golden_.at("targets").ints();  // (B, T)
  std::size_t B_ = static_cast<std::size_t>(golden_.at("tokens").shape.at(0));
  std::size_t T_ = static_cast<std::size_t>(golden_.at("tokens").shape.at(1));
};

void expect_relative(View actual, const std::vector<float>& expected) {
  ASSERT_EQ(actual.size(), expected.size());
  double largest = 0.0;
  for (const float value : expected) largest = std::max(largest, std::abs(static_cast<double>(value)));
  ASSERT_GT(largest, 0.0);
  for (std::size_t i = 0; i < expected.size(); ++i)
    ASSERT_NEAR(actual[i], expected[i], kRelative * largest) << "element " << i;
}

void GptGolden::expect_parts(const Vector& arena, const std::string& prefix) const {
  for (const model::ParamSpec& spec : params_.specs()) {
    SCOPED_TRACE(prefix + spec.name);
    const View values = part(params_, View(arena), spec.name);
    const std::vector<float>& expected = golden_.at(prefix + spec.name).values;
    ASSERT_LE(expected.size(), values.size());
    expect_relative(values.first(expected.size()), expected);
    for (std::size_t i = expected.size(); i < values.size(); ++i) ASSERT_EQ(values[i], 0.0);
  }
}

void GptGolden::expect_trajectory(const std::string& prefix, std::size_t steps, UpdateRule rule) const {
  GptModel trained = model();
  GptOptimizer optimizer(params_, std::move(rule));
  const std::vector<float>& losses = golden_.at(prefix + "losses").values;
  const std::vector<float>& norms = golden_.at(prefix + "grad_norms").values;
  ASSERT_EQ(losses.size(), steps);
  ASSERT_EQ(norms.size(), steps);
  for (std::size_t i = 0; i < steps; ++i) {
    const GptStep step = optimizer.step(trained, tokens_, targets_, B_, T_, 1.0);
    EXPECT_NEAR(step.loss, losses[i], kRelative * losses[i]) << "step " << i;
    EXPECT_NEAR(step.norm, norms[i], kRelative * norms[i]) << "step " << i;
  }
}

TEST_P(GptGolden, HasExactlyTheParametersOfTheModel) {
  std::size_t in_file = 0;
  for (const auto& [name, tensor] : golden_) in_file += name.starts_with("param/") ? 1 : 0;
  EXPECT_EQ(in_file, params_.specs().size());
  for (const model::ParamSpec& spec : params_.specs()) {
    std::vector<std::int64_t> shape(spec.shape.dims().begin(), spec.shape.dims().end());
    if (spec.name == "wte.weight" || spec.name == "lm_head.weight") shape[0] = config_.vocab_size;
    EXPECT_EQ(golden_.at("param/" + spec.name).shape, shape) << spec.name;
  }
}

TEST_P(GptGolden, LogitsLossAndGradients) {
  const GptGradients result = model().backward(tokens_, targets_, B_, T_);
  const auto V = static_cast<std::size_t>(config_.vocab_size);
  const auto Vp = static_cast<std::size_t>(config_.padded_vocab_size());
  Vector logits;
  for (std::size_t n = 0; n < B_ * T_; ++n) {
    const View row = View(result.output.logits).subspan(n * Vp, V);
    logits.insert(logits.end(), row.begin(), row.end());
  }
  expect_relative(logits, golden_.at("logits").values);
  expect_relative(View(&result.output.loss, 1), golden_.at("loss").values);
  expect_parts(result.arena, "grad/");
}

/// Those of the files that have a shaped loss, too.
class GptShapedGolden : public GptGolden {};

TEST_P(GptShapedGolden, LossAndGradients) {
  const GptGradients result =
      model().backward(tokens_, targets_, B_, T_, {.label_smoothing = 0.1, .z_loss = 1e-2});
  expect_relative(View(&result.output.loss, 1), golden_.at("shaped_loss").values);
  expect_parts(result.arena, "shaped_grad/");
}

TEST_P(GptGolden, TenAdamWSteps) {
  expect_trajectory("", 10, adamw_rule(kAdamW));
}

TEST_P(GptGolden, GreedyTokens) {
  const std::vector<std::int32_t> prompt = golden_.at("prompt").ints(),
                                  expected = golden_.at("greedy").ints();
  ASSERT_GT(expected.size(), prompt.size());
  EXPECT_EQ(model().greedy(prompt, expected.size() - prompt.size()), expected);
}

class GptTrajectoryGolden : public GptGolden {};

TEST_P(GptTrajectoryGolden, AdamW) {
  expect_trajectory("trajectory/adamw/", 20, adamw_rule(kAdamW));
}

TEST_P(GptTrajectoryGolden, Lion) {
  expect_trajectory("trajectory/lion/", 20, lion_rule(kLion));
}

TEST_P(GptTrajectoryGolden, Muon) {
  expect_trajectory("trajectory/muon/", 20, muon_rule(kMuon, config_, adamw_rule(kAdamW)));
}

TEST_P(GptTrajectoryGolden, AdamW8) {
  expect_trajectory("trajectory/adamw8/", 20, adamw8_rule(kAdamW));
}

std::string file_stem(const testing::TestParamInfo<const char*>& test) {
  const std::string name = test.param;
  return name.substr(0, name.find('.'));
}

INSTANTIATE_TEST_SUITE_P(Files, GptShapedGolden, testing::Values("gpt2_tiny_erf_softcap.safetensors"),
                         file_stem);
INSTANTIATE_TEST_SUITE_P(Files, GptTrajectoryGolden, testing::Values("llama_tiny.safetensors"), file_stem);
INSTANTIATE_TEST_SUITE_P(Files, GptGolden,
                         testing::Values("gpt2_tiny.safetensors", "gpt2_tiny_untied.safetensors",
                                         "gpt2_tiny_erf_softcap.safetensors", "llama_tiny.safetensors",
                                         "qwen3_tiny_window.safetensors", "smollm3_tiny_layers.safetensors",
                                         "gemma3_tiny.safetensors", "phi_tiny_relu2.safetensors"),
                         file_stem);

}  // namespace
}  // namespace vkgpt::check
