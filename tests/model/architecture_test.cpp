// Every pair of architecture choices on the device against the reference model in double precision.

#include <algorithm>
#include <cmath>
#include <cstring>
#include <ranges>
#include <string>

#include <gtest/gtest.h>

#include "vkgpt/core/format.hpp"
#include "vkgpt/model/train_plan.hpp"
#include "vkgpt/ops/step_params.hpp"
#include "vkgpt/plan/schedule.hpp"
#include "vkgpt/text/generate/generator.hpp"

#include "check/compare.hpp"
#include "check/gpt_model.hpp"
#include "gpu_context.hpp"
#include "support/architecture_grid.hpp"
#include "support/train_run.hpp"

namespace vkgpt::model {
namespace {

using test::How;

constexpr double kRelative = 1e-4;

class GpuArchitecture : public testing::TestWithParam<GptConfig> {
 protected:
  GpuArchitecture()
      : config_(GetParam()), reference_(config_, check::random_parameters(GptParams(config_), 5)) {}

  std::vector<float> arena() const { return {reference_.arena().begin(), reference_.arena().end()}; }

  GptConfig config_;
  check::GptModel reference_;
};

/// A line for each tensor whose gradient is not the definition's, those nearest to the loss first.
std::string wrong_gradients(const GptParams& params, std::span<const float> grads,
                            const check::GptGradients& expected) {
  std::string table;
  for (const ParamSpec& spec : params.specs() | std::views::reverse) {
    const check::View want = check::part(params, check::View(expected.arena), spec.name);
    const auto got = grads.subspan(static_cast<std::size_t>(spec.offset), want.size());
    double largest = 0, error = 0;
    std::size_t worst = 0, wrong = 0;
    for (std::size_t i = 0; i < want.size(); ++i) largest = std::max(largest, std::abs(want[i]));
    for (std::size_t i = 0; i < want.size(); ++i) {
      const double off = std::abs(got[i] - want[i]);
      if (!(off <= kRelative * largest)) ++wrong;
      if (off > error) error = off, worst = i;
    }
    if (wrong == 0 && largest > 0) continue;
    table += vkgpt::format("{:<24} {} of {} elements, most of all {}: {} instead of {}\n", spec.name, wrong,
                           want.size(), worst, got[worst], want[worst]);
  }
  return table;
}

TEST_P(GpuArchitecture, LossAndAllGradientsAreThoseOfTheReference) {
  const auto B = 2;
  const std::int64_t T = config_.block_size;
  const auto V = static_cast<std::int32_t>(config_.vocab_size);
  const std::vector<std::int32_t> tokens = check::random_tokens(static_cast<std::size_t>(B * T), 1, V);
  const std::vector<std::int32_t> targets = check::random_tokens(static_cast<std::size_t>(B * T), 2, V);
  vk::Context& context = test::shared_context();
  const GptParams params(config_);
  plan::TensorStore store(context);
  const TrainPlanOptions options{.batch_size = B, .label_smoothing = 0.1, .z_loss = 1e-3};
  plan::Executor executor(
      context, store,
      plan::make_schedule(build_train_plan(params, options, context.target()), context.caps()));
  const std::vector<float> values = arena();
  store.upload(tensor::kParams, std::as_bytes(std::span(values)));
  store.poison_arenas();
  std::ranges::copy(tokens, store.upload_slot<std::int32_t>(tensor::kTokens, 0).begin());
  std::ranges::copy(order_tokens(config_, options.activation_dtype, context.caps(), tokens),
                    store.upload_slot<std::uint32_t>(tensor::kTokenOrder, 0).begin());
  std::ranges::copy(targets, store.upload_slot<std::int32_t>(tensor::kTargets, 0).begin());
  executor.submit(segment::kFirstMicroStep, 0);
  executor.submit(segment::kUpdate, 0);
  context.queue().wait_idle();

  const check::GptGradients expected =
      reference_.backward(tokens, targets, B, static_cast<std::size_t>(T),
                          {.label_smoothing = options.label_smoothing, .z_loss = options.z_loss});
  EXPECT_NEAR(step_results(store.readback_slot<float>(tensor::kStepResults, 0)).loss, expected.output.loss,
              kRelative * expected.output.loss);
  std::vector<float> grads(static_cast<std::size_t>(params.arena_elements()));
  store.download(tensor::kGrads, std::as_writable_bytes(std::span(grads)));
  EXPECT_EQ(wrong_gradients(params, grads, expected), "")
      << "in the order of the backward: the first one names the place";
}

TEST_P(GpuArchitecture, DecodingWithTheCacheIsTheFullForward) {
  plan::TensorStore store(test::shared_context());
  text::Generator generator(test::shared_context(), store, GptParams(config_));
  const std::vector<float> values = arena();
  store.upload(tensor::kParams, std::as_bytes(std::span(values)));
  store.poison_arenas();
  const auto T = static_cast<std::size_t>(config_.block_size);
  const std::vector<std::int32_t> tokens =
      check::random_tokens(T, 4, static_cast<std::int32_t>(config_.vocab_size));
  const check::Vector logits = reference_.logits(tokens, 1, T);
  const auto Vp = static_cast<std::size_t>(config_.padded_vocab_size());
  for (std::size_t length = 5; length <= T; ++length) {
    const auto window = std::span(tokens).first(length);
    const std::span<const float> got = length == 5 ? generator.prefill(window) : generator.decode(window);
    const check::View want = check::View(logits).subspan((length - 1) * Vp, got.size());
    double largest = 0;
    for (const double value : want) largest = std::max(largest, std::abs(value));
    for (std::size_t v = 0; v < got.size(); ++v) {
      ASSERT_NEAR(got[v], want[v], kRelative * largest) << "length " << length << ", token " << v;
    }
  }
}

TEST_P(GpuArchitecture, ReplayIsEager) {
  const train::TrainConfig config = test::small_training();
  const test::RunOutcome replayed = test::run_steps(config_, config, How::kReplay, 3);
  EXPECT_EQ(test::run_steps(config_, config, How::kStats, 3), replayed);
}

INSTANTIATE_TEST_SUITE_P(Grid, GpuArchitecture, testing::ValuesIn(test::architecture_grid()),
                         [](const auto& each) { return test::architecture_name(each.param); });

}  // namespace
}  // namespace vkgpt::model
