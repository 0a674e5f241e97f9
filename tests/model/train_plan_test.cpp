// The whole model on the device against PyTorch's numbers and against finite differences of its own loss.

#include "vkgpt/model/train_plan.hpp"

#include <algorithm>
#include <cmath>

#include <gtest/gtest.h>

#include "vkgpt/text/generate/generator.hpp"

#include "gpu_context.hpp"
#include "support/tiny_gpt.hpp"

namespace vkgpt::model {
namespace {

using test::TinyGpt;

constexpr double kTrainPlanTolerance = 1e-4;

/// Relative to the tensor's largest value.
void expect_relative(std::span<const float> actual, std::span<const float> expected,
                     const std::string& what) {
  ASSERT_EQ(actual.size(), expected.size()) << what;
  double largest = 0;
  for (const float value : expected) largest = std::max(largest, std::abs(static_cast<double>(value)));
  ASSERT_GT(largest, 0) << what;
  for (std::size_t i = 0; i < expected.size(); ++i) {
    ASSERT_NEAR(actual[i], expected[i], kTrainPlanTolerance * largest) << what << ", element " << i;
  }
}

class GpuGptGolden : public testing::TestWithParam<const char*> {};

TEST_P(GpuGptGolden, LossAndAllGradients) {
  TinyGpt gpt(GetParam());
  EXPECT_NEAR(gpt.loss(), gpt.golden().at("loss").values[0], kTrainPlanTolerance);
  gpt.step(0, false);
  const std::vector<float> grads = gpt.download(tensor::kGrads);
  for (const ParamSpec& spec : gpt.params().specs()) {
    expect_relative(gpt.part(grads, spec.name), gpt.golden().at("grad/" + spec.name).values, spec.name);
  }
}

TEST_P(GpuGptGolden, TenAdamWSteps) {
  TinyGpt gpt(GetParam());
  const std::vector<float>& losses = gpt.golden().at("losses").values;
  const std::vector<float>& norms = gpt.golden().at("grad_norms").values;
  for (std::size_t i = 0; i < losses.size(); ++i) {
    const StepResults results = gpt.step(static_cast<std::int64_t>(i), true);
    EXPECT_NEAR(results.loss, losses[i], kTrainPlanTolerance * losses[i]) << "step " << i;
    EXPECT_NEAR(results.grad_norm, norms[i], 10 * kTrainPlanTolerance * norms[i]) << "step " << i;
    EXPECT_EQ(results.skipped, 0);
  }
}

/// Along each tensor's own gradient, where the slope is largest against the rounding of `loss()`.
template <typename Loss>
void expect_gradient_is_slope(TinyGpt& gpt, Loss&& loss) {
  gpt.step(0, false);
  const std::vector<float> params = gpt.download(tensor::kParams);
  const std::vector<float> grads = gpt.download(tensor::kGrads);
  for (const ParamSpec& spec : gpt.params().specs()) {
    const std::vector<float> grad = gpt.part(grads, spec.name);
    double norm = 0;
    for (const float g : grad) norm += static_cast<double>(g) * g;
    norm = std::sqrt(norm);
    const double eps = std::clamp(2e-3 / norm, 1e-3, 2e-2);
    double side_loss[2];
    for (const int side : {0, 1}) {
      std::vector<float> moved = params;
      for (std::size_t i = 0; i < grad.size(); ++i) {
        moved[static_cast<std::size_t>(spec.offset) + i] +=
            static_cast<float>((side == 0 ? -eps : eps) * grad[i] / norm);
      }
      gpt.upload(tensor::kParams, moved);
      side_loss[side] = loss();
    }
    EXPECT_NEAR((side_loss[1] - side_loss[0]) / (2 * eps), norm, 0.02 * norm + 2e-4) << spec.name;
  }
}

TEST_P(GpuGptGolden, GradientIsTheSlopeOfTheLoss) {
  TinyGpt gpt(GetParam());
  expect_gradient_is_slope(gpt, [&] { return gpt.loss(); });
}

TEST_P(GpuGptGolden, GradientIsTheSlopeOfTheLossUnderDropout) {
  TinyGpt gpt(GetParam(), [](TrainPlanOptions& options) { options.dropout = 0.2; }, 1e-3F);
  // The masks of a step are always the same, so that its loss is a smooth function of the weights.
  expect_gradient_is_slope(gpt, [&] { return gpt.step(0, true).loss; });
}

TEST_P(GpuGptGolden, LogitsOfPrefillAndDecode) {
  TinyGpt gpt(GetParam());
  text::Generator generator(test::shared_context(), gpt.store(), gpt.params());
  const std::vector<std::int32_t> tokens = gpt.golden().at("tokens").ints();
  const std::vector<float>& logits = gpt.golden().at("logits").values;
  const auto V = static_cast<std::size_t>(gpt.config().vocab_size);
  const auto T = static_cast<std::size_t>(gpt.config().block_size);
  for (std::size_t row = 0; row < tokens.size(); ++row) {
    const std::size_t length = row % T + 1;
    const auto window = std::span(tokens).subspan(row - (length - 1), length);
    const auto expected = std::span(logits).subspan(row * V, V);
    if (length > 1) expect_relative(generator.decode(window), expected, "decode " + std::to_string(row));
    expect_relative(generator.prefill(window), expected, "prefill " + std::to_string(row));
  }
}

TEST_P(GpuGptGolden, GreedyTextWithAndWithoutCache) {
  TinyGpt gpt(GetParam());
  text::Generator generator(test::shared_context(), gpt.store(), gpt.params());
  const std::vector<std::int32_t> prompt = gpt.golden().at("prompt").ints();
  std::vector<std::int32_t> expected = gpt.golden().at("greedy").ints();
  if (expected.size() == static_cast<std::size_t>(gpt.config().block_size)) {  // the prompt stands before it
    expected.erase(expected.begin(), expected.begin() + static_cast<std::ptrdiff_t>(prompt.size()));
  }
  for (const bool kv_cache : {true, false}) {
    text::GenerateConfig config;
    config.kv_cache = kv_cache;
    config.max_new_tokens = static_cast<std::int64_t>(expected.size());
    EXPECT_EQ(generator.generate(prompt, config, {.temperature = 0}, 0), expected) << "cache " << kv_cache;
  }
}

TEST_P(GpuGptGolden, SampledTextPastTheWindowWithAndWithoutCache) {
  TinyGpt gpt(GetParam());
  text::Generator generator(test::shared_context(), gpt.store(), gpt.params());
  const std::vector<std::int32_t> prompt = gpt.golden().at("prompt").ints();
  text::GenerateConfig config;
  config.max_new_tokens = 3 * gpt.config().block_size;
  const auto cached = generator.generate(prompt, config, {}, 0);
  EXPECT_EQ(cached.size(), static_cast<std::size_t>(config.max_new_tokens));
  EXPECT_EQ(generator.generate(prompt, config, {}, 0), cached);
  EXPECT_NE(generator.generate(prompt, config, {}, 1), cached);
  config.kv_cache = false;
  EXPECT_EQ(generator.generate(prompt, config, {}, 0), cached);
}

TEST_P(GpuGptGolden, ShapedLossAndItsGradients) {
  const auto shaped = [](TrainPlanOptions& options) { options.label_smoothing = 0.1, options.z_loss = 1e-2; };
  TinyGpt gpt(GetParam(), shaped, 1e-3F);
  if (!gpt.golden().contains("shaped_loss")) return;
  const StepResults results = gpt.step(0, true);
  const float expected = gpt.golden().at("shaped_loss").values[0];
  EXPECT_NEAR(results.loss, expected, kTrainPlanTolerance * expected);
  const std::vector<float> grads = gpt.download(tensor::kGrads);
  for (const ParamSpec& spec : gpt.params().specs()) {
    expect_relative(gpt.part(grads, spec.name), gpt.golden().at("shaped_grad/" + spec.name).values,
                    spec.name);
  }
}

INSTANTIATE_TEST_SUITE_P(Gpu, GpuGptGolden,
                         testing::Values("gpt2_tiny.safetensors", "gpt2_tiny_untied.safetensors",
                                         "gpt2_tiny_erf_softcap.safetensors", "llama_tiny.safetensors",
                                         "qwen3_tiny_window.safetensors", "smollm3_tiny_layers.safetensors",
                                         "gemma3_tiny.safetensors", "phi_tiny_relu2.safetensors"));

struct Trajectory {
  const char* name;
  void (*change)(TrainPlanOptions&);
  float learning_rate;
};

class GpuTrajectory : public testing::TestWithParam<Trajectory> {};

TEST_P(GpuTrajectory, TwentyStepsAreThoseOfPyTorch) {
  const std::string prefix = std::string("trajectory/") + GetParam().name;
  TinyGpt gpt("llama_tiny.safetensors", GetParam().change, GetParam().learning_rate);
  const std::vector<float>& losses = gpt.golden().at(prefix + "/losses").values;
  const std::vector<float>& norms = gpt.golden().at(prefix + "/grad_norms").values;
  ASSERT_EQ(losses.size(), 20U);
  for (std::size_t i = 0; i < losses.size(); ++i) {
    const StepResults results = gpt.step(static_cast<std::int64_t>(i), true);
    EXPECT_NEAR(results.loss, losses[i], 1e-3 * losses[i]) << "step " << i;
    EXPECT_NEAR(results.grad_norm, norms[i], 1e-2 * norms[i]) << "step " << i;
  }
}

INSTANTIATE_TEST_SUITE_P(
    Optimizers, GpuTrajectory,
    testing::Values(Trajectory{"adamw", [](TrainPlanOptions&) {}, 1e-3F},
                    Trajectory{"lion",
                               [](TrainPlanOptions& options) {
                                 options.optimizer = OptimizerKind::kLion;
                                 options.beta2 = 0.99;
                               },
                               3e-4F},
                    Trajectory{"adamw8",
                               [](TrainPlanOptions& options) { options.optimizer = OptimizerKind::kAdamW8; },
                               1e-3F},
                    Trajectory{"muon",
                               [](TrainPlanOptions& options) { options.optimizer = OptimizerKind::kMuon; },
                               1e-3F}),
    [](const auto& each) { return each.param.name; });

/// Where one buffer of the device holds less than an arena, arenas are several buffers.
TEST(GpuTrainPlan, ArenasInPiecesGiveTheSameBits) {
  for (const OptimizerKind optimizer :
       {OptimizerKind::kAdamW, OptimizerKind::kMuon, OptimizerKind::kAdamW8}) {
    const auto options = [&](TrainPlanOptions& o) {
      o.optimizer = optimizer;
      o.ema_decay = 0.9;
      o.grad_clip = 0;  // the norm is summed in other blocks
    };
    TinyGpt whole("gpt2_tiny.safetensors", options, 1e-3F);
    vk::Target target = test::shared_context().target();
    const auto arena_bytes = static_cast<std::uint64_t>(whole.params().arena_elements()) * sizeof(float);
    target.caps.max_allocation_bytes = arena_bytes * 2 / 5;
    TinyGpt pieces("gpt2_tiny.safetensors", options, 1e-3F, target);
    for (int step = 0; step < 3; ++step) {
      EXPECT_EQ(whole.step(step, true).loss, pieces.step(step, true).loss) << "step " << step;
    }
    EXPECT_EQ(whole.download(tensor::kParams), pieces.download(tensor::kParams));
    EXPECT_EQ(whole.download(tensor::kEma), pieces.download(tensor::kEma));
  }
}

}  // namespace
}  // namespace vkgpt::model
