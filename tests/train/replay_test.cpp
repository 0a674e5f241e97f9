// The train step is recorded once: replayed, eager, tapped and re-recorded steps are the same bits, and a
// replayed step records nothing.

#include <algorithm>
#include <cmath>
#include <cstring>
#include <utility>
#include <vector>

#include <gtest/gtest.h>

#include "vkgpt/train/step_runner.hpp"

#include "gpu_context.hpp"
#include "support/call_counter.hpp"
#include "support/train_run.hpp"

namespace vkgpt::train {
namespace {

using test::How;
using test::run_steps;
using test::RunOutcome;
using test::small_model;
using test::TrainRun;

constexpr std::int64_t kSteps = 20;

TrainConfig small_training(std::int64_t grad_accum_steps) {
  TrainConfig config = test::small_training();
  config.grad_accum_steps = grad_accum_steps;
  return config;
}

TEST(GpuReplay, ReplayedEagerTappedAndReRecordedAreTheSameBits) {
  for (const std::int64_t grad_accum_steps : {1, 3}) {
    const TrainConfig config = small_training(grad_accum_steps);
    const RunOutcome replayed = run_steps(small_model(), config, How::kReplay, kSteps);
    ASSERT_EQ(replayed.losses.size(), static_cast<std::size_t>(kSteps));
    EXPECT_LT(replayed.losses.back(), replayed.losses.front());
    EXPECT_EQ(run_steps(small_model(), config, How::kReplay, kSteps), replayed);
    EXPECT_EQ(run_steps(small_model(), config, How::kReplay, kSteps), replayed);
    EXPECT_EQ(run_steps(small_model(), config, How::kEager, kSteps), replayed);
    EXPECT_EQ(run_steps(small_model(), config, How::kStats, kSteps), replayed);
    EXPECT_EQ(run_steps(small_model(), config, How::kReRecord, kSteps), replayed);
  }
}

TEST(GpuReplay, SmallerDispatchesGiveTheSameBits) {
  TrainConfig config = small_training(1);
  config.batch_size = 12;  // 204 rows of each product, 64 at a time
  const auto count_and_run = [&] {
    TrainRun run(small_model(), config);
    test::CallCounter counter;
    run.steps(0, 3);
    const RunOutcome outcome = run.finish();
    return std::pair(outcome, counter.dispatches());
  };
  const auto [whole, few] = count_and_run();
  test::shared_context().device().set_dispatch_share(1e-9);
  const auto [parts, many] = count_and_run();
  test::shared_context().device().set_dispatch_share(1);
  EXPECT_GT(many, few);
  EXPECT_EQ(parts, whole);
}

TEST(GpuReplay, DispatchesThatTookLongAreDividedWithTheSameBits) {
  TrainConfig config = small_training(1);
  config.batch_size = 12;
  const auto count_and_run = [&](double submit_budget_ns) {
    TrainRun run(small_model(), config, [] { return true; }, submit_budget_ns);
    EXPECT_TRUE(run.step(0, How::kEager));
    test::CallCounter counter;
    run.runner().record_steps();
    run.steps(1, 3);
    const int dispatches = counter.dispatches();
    EXPECT_TRUE(run.step(3, How::kStats));
    return std::pair(run.finish(), dispatches);
  };
  const auto [whole, few] = count_and_run(plan::Executor::kSubmitBudgetNs);
  EXPECT_EQ(test::shared_context().caps().dispatch_share, 1);
  const auto [parts, many] = count_and_run(1);
  EXPECT_LT(test::shared_context().caps().dispatch_share, 1) << "plans that are made later know of it";
  test::shared_context().device().set_dispatch_share(1);
  EXPECT_GT(many, few);
  EXPECT_EQ(parts, whole);
}

TEST(GpuReplay, GradientsAccumulateOverMicroSteps) {
  // With one weight update from the same start, the loss of the step is the mean over its micro-steps.
  TrainRun one(small_model(), small_training(1));
  TrainRun three(small_model(), small_training(3));
  ASSERT_TRUE(one.step(0, How::kReplay));
  ASSERT_TRUE(three.step(0, How::kReplay));
  const RunOutcome a = one.finish();
  const RunOutcome b = three.finish();
  EXPECT_NE(a.losses[0], b.losses[0]);
  EXPECT_NEAR(a.losses[0], b.losses[0], 0.2);
  EXPECT_LT(b.norms[0], 1.1F * a.norms[0]) << "the gradient is a mean, not a sum";
}

TEST(GpuReplay, NothingOfTheGradientsBeforeIsNeeded) {
  const TrainConfig config = small_training(2);
  TrainRun plain(small_model(), config), poisoned(small_model(), config);
  const model::GptParams& params = poisoned.runner().params();
  for (std::int64_t step = 0; step < 3; ++step) {
    ASSERT_TRUE(plain.step(step, How::kReplay));
    ASSERT_TRUE(poisoned.step(step, How::kReplay));
    poisoned.runner().drain();
    for (const model::ParamSpec& spec : params.specs()) {
      const std::vector<float> nans(static_cast<std::size_t>(spec.numel()), NAN);
      poisoned.runner().store().upload(model::tensor::kGrads, std::as_bytes(std::span(nans)),
                                       static_cast<std::uint64_t>(spec.offset) * sizeof(float));
    }
  }
  EXPECT_EQ(plain.finish(), poisoned.finish());
}

TEST(GpuReplay, NothingIsRecordedAfterTheSecondStep) {
  TrainRun run(small_model(), small_training(2));
  ASSERT_TRUE(run.step(0, How::kEager));
  ASSERT_TRUE(run.step(1, How::kReplay));
  run.runner().drain();
  test::CallCounter counter;
  int submits_of_a_step = 0;
  for (std::int64_t step = 2; step < 6; ++step) {
    counter.reset();
    ASSERT_TRUE(run.step(step, How::kReplay));
    EXPECT_EQ(counter.dispatches(), 0) << "step " << step;
    if (step == 2) submits_of_a_step = counter.submits();
    EXPECT_EQ(counter.submits(), submits_of_a_step);
  }
  EXPECT_EQ(submits_of_a_step, 2 + 1);  // two micro-steps, update
  counter.reset();
  run.runner().executor().record(model::segment::kUpdate);
  EXPECT_GT(counter.dispatches(), 0) << "the counter counts";
  run.finish();
}

TEST(GpuReplay, BarriersBetweenDispatchesNameNothingButThem) {
  TrainRun run(small_model(), small_training(1));
  ASSERT_TRUE(run.step(0, How::kEager));
  plan::Executor& executor = run.runner().executor();
  const std::vector<plan::Segment>& segments = executor.schedule().plan.segments;
  for (std::size_t i = 0; i < segments.size(); ++i) {
    if (segments[i].name != model::segment::kFirstMicroStep) continue;
    const auto planned = static_cast<int>(executor.schedule().barriers[i].size());
    test::CallCounter counter;
    executor.record(segments[i].name);
    EXPECT_EQ(counter.dispatch_barriers(), plan::kSlotCount * planned);
    EXPECT_LE(counter.barriers() - counter.dispatch_barriers(), plan::kSlotCount * 3)
        << "at the begin, after copies of inputs where there are any, at the end";
  }
  run.finish();
}

TEST(GpuReplay, ANotFiniteGradientSkipsTheStepBitForBit) {
  TrainRun run(small_model(), small_training(1));
  ASSERT_TRUE(run.step(0, How::kReplay));
  std::vector<float> params = run.finish().params;
  const float poison = std::numeric_limits<float>::infinity();
  const auto offset = static_cast<std::uint64_t>(run.runner().params().find("h.0.mlp.c_fc.bias").offset);
  run.runner().store().upload(model::tensor::kParams, std::as_bytes(std::span(&poison, 1)), offset * 4);
  params[offset] = poison;
  ASSERT_TRUE(run.step(1, How::kReplay));
  run.runner().drain();
  const auto outcome = run.runner().take_outcome();
  ASSERT_TRUE(outcome.has_value());
  EXPECT_EQ(outcome->results.skipped, 1);
  std::vector<float> after(params.size());
  run.runner().store().download(model::tensor::kParams, std::as_writable_bytes(std::span(after)));
  EXPECT_EQ(std::memcmp(after.data(), params.data(), params.size() * sizeof(float)), 0);
}

TEST(GpuReplay, StatisticsNameEveryTensor) {
  TrainRun run(small_model(), small_training(1));
  ASSERT_TRUE(run.step(0, How::kStats));
  ASSERT_EQ(run.runner().gradient_stats().size(), run.runner().params().specs().size());
  for (const TensorStats& stats : run.runner().gradient_stats()) {
    EXPECT_GT(stats.norm, 0) << stats.name;
    EXPECT_LE(stats.max, stats.norm) << stats.name;
    EXPECT_EQ(stats.nan_count + stats.inf_count, 0U) << stats.name;
  }
  ASSERT_EQ(run.runner().activation_stats().size(), 2U);
  EXPECT_GT(run.runner().activation_stats()[0].norm, 0);
  run.finish();
}

TEST(GpuReplay, EvaluationIsTheSameEachTimeAndLeavesTrainingAlone) {
  TrainRun plain(small_model(), small_training(1));
  TrainRun evaluated(small_model(), small_training(1));
  for (std::int64_t step = 0; step < 4; ++step) {
    ASSERT_TRUE(plain.step(step, How::kReplay));
    ASSERT_TRUE(evaluated.step(step, How::kReplay));
    const auto first = evaluated.runner().evaluate(Split::kValidation, 3);
    EXPECT_EQ(evaluated.runner().evaluate(Split::kValidation, 3), first);
  }
  EXPECT_EQ(plain.finish(), evaluated.finish());
}

TEST(GpuReplay, AnInterruptLeavesTheWeightsOfTheLastWholeStep) {
  bool going = true;
  TrainRun run(small_model(), small_training(2), [&] { return going; });
  ASSERT_TRUE(run.step(0, How::kReplay));
  const RunOutcome before = run.finish();
  going = false;
  EXPECT_FALSE(run.step(1, How::kReplay));
  EXPECT_FALSE(run.runner().evaluate(Split::kTrain, 2).has_value());
  EXPECT_EQ(run.finish().params, before.params);
}

TEST(GpuReplay, ThePlannedMemoryIsWhatIsAllocated) {
  TrainRun run(small_model(), small_training(1));
  const auto planned = static_cast<double>(run.runner().executor().schedule().memory.total_bytes());
  const auto allocated = static_cast<double>(run.runner().store().allocated_bytes());
  EXPECT_NEAR(allocated / planned, 1, 0.05);
}

}  // namespace
}  // namespace vkgpt::train
