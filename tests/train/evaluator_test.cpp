#include "vkgpt/train/evaluator.hpp"

#include <algorithm>
#include <cmath>
#include <numeric>

#include <gtest/gtest.h>

#include "vkgpt/core/error.hpp"
#include "vkgpt/model/gpt_params.hpp"
#include "vkgpt/model/train_plan.hpp"
#include "vkgpt/plan/select_segments.hpp"
#include "vkgpt/train/step_runner.hpp"

#include "gpu_context.hpp"

namespace vkgpt::train {
namespace {

constexpr std::int64_t kContext = 16;

model::GptConfig evaluated_model() {
  model::GptConfig config;
  config.vocab_size = 37;
  config.n_layer = 2;
  config.n_head = 2;
  config.n_embd = 32;
  config.block_size = kContext;
  return config;
}

std::vector<std::int32_t> some_tokens(std::size_t count) {
  std::vector<std::int32_t> tokens(count);
  for (std::size_t i = 0; i < count; ++i) tokens[i] = static_cast<std::int32_t>((i * i * 7 + i / 5) % 37);
  return tokens;
}

const auto kAlways = [] { return true; };

TEST(Evaluation, UnitsFollowFromNats) {
  const Evaluation evaluation{.predicted = 8, .nats = 8 * std::log(4.0)};
  EXPECT_DOUBLE_EQ(evaluation.loss(), std::log(4.0));
  EXPECT_DOUBLE_EQ(evaluation.perplexity(), 4);
  EXPECT_DOUBLE_EQ(evaluation.bits_per_byte(8), 2);
  EXPECT_DOUBLE_EQ(evaluation.bits_per_byte(32), 0.5);
}

class GpuEvaluator : public testing::Test {
 protected:
  GpuEvaluator()
      : config_(evaluated_model()), params_(model::initial_parameters(model::GptParams(config_), 5)) {}

  Evaluation evaluate(std::span<const std::int32_t> tokens, std::int64_t batch_size) {
    Evaluator evaluator(test::shared_context(), model::GptParams(config_), batch_size, params_);
    return *evaluator.evaluate(tokens, kAlways);
  }

  model::GptConfig config_;
  std::vector<float> params_;
};

TEST_F(GpuEvaluator, AModelThatKnowsNothingNeedsTheLogarithmOfV) {
  std::ranges::fill(params_, 0.0F);
  const Evaluation evaluation = evaluate(some_tokens(3 * kContext + 5), 2);
  EXPECT_EQ(evaluation.predicted, static_cast<std::uint64_t>(3 * kContext + 4));
  EXPECT_NEAR(evaluation.loss(), std::log(37.0), 1e-5);
}

TEST_F(GpuEvaluator, BatchesAndTailsDoNotMatter) {
  const std::vector<std::int32_t> tokens = some_tokens(5 * kContext + 7);
  const Evaluation one = evaluate(tokens, 1);
  EXPECT_EQ(one.predicted, tokens.size() - 1);
  for (const std::int64_t batch_size : {2, 3, 8}) {
    const Evaluation many = evaluate(tokens, batch_size);
    EXPECT_EQ(many.predicted, one.predicted);
    EXPECT_NEAR(many.loss(), one.loss(), 1e-6 * one.loss()) << batch_size;
  }
  Evaluation sum;
  for (std::size_t begin = 0; begin + 1 < tokens.size(); begin += kContext) {
    const std::size_t count = std::min<std::size_t>(kContext + 1, tokens.size() - begin);
    sum.nats += evaluate(std::span(tokens).subspan(begin, count), 1).nats;
  }
  EXPECT_NEAR(sum.nats, one.nats, 1e-6 * one.nats) << "windows are independent of each other";
}

TEST_F(GpuEvaluator, AgreesWithTheTrainersEvaluation) {
  const std::vector<std::int32_t> tokens = some_tokens(kContext + 1);  // every crop is this window
  TrainConfig train;
  train.batch_size = 2;
  const DataLoader loader(std::span<const std::int32_t>(tokens), {}, kContext, 1);
  StepRunner runner(test::shared_context(), config_, train, loader, kAlways);
  runner.store().upload(model::tensor::kParams, std::as_bytes(std::span(params_)));
  EXPECT_NEAR(evaluate(tokens, 1).loss(), *runner.evaluate(Split::kTrain, 1), 1e-6);
}

TEST_F(GpuEvaluator, StopsWhenAskedAndGoesOnLater) {
  const std::vector<std::int32_t> tokens = some_tokens(6 * kContext);
  Evaluator evaluator(test::shared_context(), model::GptParams(config_), 1, params_);
  int left = 3;
  EXPECT_FALSE(evaluator.evaluate(std::span(tokens), [&] { return left-- > 0; }).has_value());
  EXPECT_EQ(evaluator.evaluate(std::span(tokens), kAlways)->nats, evaluate(tokens, 1).nats);
  EXPECT_THROW(evaluator.evaluate(std::span(tokens).first(1), kAlways), Error);
}

TEST(SelectSegments, KeepsOnlyWhatTheSegmentsTouch) {
  vk::DeviceCaps caps;
  const plan::Plan whole =
      model::build_train_plan(model::GptParams(evaluated_model()), {.batch_size = 2}, {caps});
  const std::string_view names[] = {model::segment::kEvalStep, model::segment::kEvalEnd};
  const plan::Plan part = plan::select_segments(whole, names);
  ASSERT_EQ(part.segments.size(), 2U);
  EXPECT_EQ(part.segments[0].dispatches.size(), whole.segment(model::segment::kEvalStep).dispatches.size());
  EXPECT_EQ(part.find(model::tensor::kParams).bytes(), whole.find(model::tensor::kParams).bytes());
  const auto named = [&](std::string_view name) {
    return std::ranges::count(part.tensors, name, &plan::TensorInfo::name);
  };
  EXPECT_EQ(named(model::tensor::kParams), 1);
  EXPECT_EQ(named(model::tensor::kGrads), 0);
  EXPECT_EQ(named(model::tensor::kAdamM), 0);
  const auto memory = plan::make_schedule(part, caps).memory.bytes_by_role;
  EXPECT_FALSE(memory.contains(plan::Role::kOptimizer));
  for (std::size_t s = 0; s < part.segments.size(); ++s) {
    const plan::Segment& original = whole.segment(part.segments[s].name);
    for (std::size_t d = 0; d < original.dispatches.size(); ++d) {
      for (std::size_t b = 0; b < original.dispatches[d].bindings.size(); ++b) {
        const plan::Binding& moved = part.segments[s].dispatches[d].bindings[b];
        const plan::Binding& source = original.dispatches[d].bindings[b];
        EXPECT_EQ(part.tensor(moved.tensor).name, whole.tensor(source.tensor).name);
        EXPECT_EQ(moved.offset, source.offset);
      }
    }
  }
}

}  // namespace
}  // namespace vkgpt::train
