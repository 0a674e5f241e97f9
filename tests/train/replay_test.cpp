// The train step is recorded once: replayed, eager, tapped and re-recorded steps are the same bits, and a
// replayed step records nothing.

#include <algorithm>
#include <atomic>
#include <cstring>

#include <gtest/gtest.h>

#include "vkgpt/model/gpt_params.hpp"
#include "vkgpt/ops/optimizer.hpp"
#include "vkgpt/train/step_runner.hpp"

#include "gpu_context.hpp"
#include "reference/compare.hpp"

namespace vkgpt::train {
namespace {

constexpr std::int64_t kSteps = 20;

model::GptConfig small_model() {
  model::GptConfig config;
  config.vocab_size = 29;
  config.n_layer = 2;
  config.n_head = 2;
  config.n_embd = 32;
  config.block_size = 17;
  return config;
}

TrainConfig small_training(std::int64_t grad_accum_steps) {
  TrainConfig config;
  config.batch_size = 3;
  config.grad_accum_steps = grad_accum_steps;
  config.learning_rate = 3e-3;
  return config;
}

enum class How { kReplay, kEager, kStats, kReRecord };

struct Outcome {
  std::vector<float> losses;
  std::vector<float> norms;
  std::vector<float> params;

  friend bool operator==(const Outcome&, const Outcome&) = default;
};

class TrainRun {
 public:
  explicit TrainRun(
      std::int64_t grad_accum_steps, std::function<bool()> keep_going = [] { return true; })
      : tokens_(reference::random_tokens(400, 7, 29)),
        loader_(std::span<const std::int32_t>(tokens_), std::span<const std::int32_t>(tokens_),
                small_model().block_size, 1337),
        runner_(test::shared_context(), small_model(), small_training(grad_accum_steps), loader_,
                std::move(keep_going)) {
    const std::vector<float> params = model::initial_parameters(runner_.params(), 1);
    runner_.store().upload(model::tensor::kParams, std::as_bytes(std::span(params)));
    runner_.store().poison_arenas();
  }

  StepRunner& runner() { return runner_; }

  bool step(std::int64_t index, How how) {
    constexpr double kRate = 3e-3;
    switch (how) {
      case How::kReplay:
        return runner_.submit(index, kRate);
      case How::kEager:
        return runner_.run_eager(index, kRate);
      case How::kStats:
        return runner_.run_with_stats(index, kRate);
      case How::kReRecord:
        for (const plan::Segment& segment : runner_.executor().schedule().plan.segments) {
          runner_.executor().record(segment.name);
        }
        return runner_.submit(index, kRate);
    }
    return false;
  }

  Outcome finish() {
    runner_.drain();
    Outcome outcome;
    while (const auto step = runner_.take_outcome()) {
      EXPECT_EQ(step->step, static_cast<std::int64_t>(outcome.losses.size()));
      outcome.losses.push_back(step->results.loss);
      outcome.norms.push_back(step->results.grad_norm);
    }
    outcome.params.resize(static_cast<std::size_t>(runner_.params().arena_elements()));
    runner_.store().download(model::tensor::kParams, std::as_writable_bytes(std::span(outcome.params)));
    return outcome;
  }

 private:
  std::vector<std::int32_t> tokens_;
  DataLoader loader_;
  StepRunner runner_;
};

Outcome run_all(std::int64_t grad_accum_steps, How how) {
  TrainRun run(grad_accum_steps);
  for (std::int64_t step = 0; step < kSteps; ++step) EXPECT_TRUE(run.step(step, how));
  return run.finish();
}

TEST(GpuReplay, ReplayedEagerTappedAndReRecordedAreTheSameBits) {
  for (const std::int64_t grad_accum_steps : {1, 3}) {
    const Outcome replayed = run_all(grad_accum_steps, How::kReplay);
    ASSERT_EQ(replayed.losses.size(), static_cast<std::size_t>(kSteps));
    EXPECT_LT(replayed.losses.back(), replayed.losses.front());
    EXPECT_EQ(run_all(grad_accum_steps, How::kReplay), replayed);
    EXPECT_EQ(run_all(grad_accum_steps, How::kReplay), replayed);
    EXPECT_EQ(run_all(grad_accum_steps, How::kEager), replayed);
    EXPECT_EQ(run_all(grad_accum_steps, How::kStats), replayed);
    EXPECT_EQ(run_all(grad_accum_steps, How::kReRecord), replayed);
  }
}

TEST(GpuReplay, GradientsAccumulateOverMicroSteps) {
  // With one weight update from the same start, the loss of the step is the mean over its micro-steps.
  TrainRun one(1);
  TrainRun three(3);
  ASSERT_TRUE(one.step(0, How::kReplay));
  ASSERT_TRUE(three.step(0, How::kReplay));
  const Outcome a = one.finish();
  const Outcome b = three.finish();
  EXPECT_NE(a.losses[0], b.losses[0]);
  EXPECT_NEAR(a.losses[0], b.losses[0], 0.2);
  EXPECT_LT(b.norms[0], 1.1F * a.norms[0]) << "the gradient is a mean, not a sum";
}

std::atomic<int> g_dispatches = 0;
std::atomic<int> g_submits = 0;
VolkDeviceTable g_real;

void count_dispatch(VkCommandBuffer commands, std::uint32_t x, std::uint32_t y, std::uint32_t z) {
  ++g_dispatches;
  g_real.vkCmdDispatch(commands, x, y, z);
}

VkResult count_submit(VkQueue queue, std::uint32_t count, const VkSubmitInfo2* infos, VkFence fence) {
  ++g_submits;
  return g_real.vkQueueSubmit2(queue, count, infos, fence);
}

/// Counts dispatches and submissions on the shared device while it lives.
class CallCounter {
 public:
  CallCounter() : table_(test::shared_context().device().mutable_table()) {
    g_real = table_;
    table_.vkCmdDispatch = count_dispatch;
    table_.vkQueueSubmit2 = count_submit;
  }
  ~CallCounter() { table_ = g_real; }

 private:
  VolkDeviceTable& table_;
};

TEST(GpuReplay, NothingIsRecordedAfterTheSecondStep) {
  TrainRun run(2);
  ASSERT_TRUE(run.step(0, How::kEager));
  ASSERT_TRUE(run.step(1, How::kReplay));
  run.runner().drain();
  const CallCounter counter;
  int submits_of_a_step = 0;
  for (std::int64_t step = 2; step < 6; ++step) {
    g_dispatches = 0;
    g_submits = 0;
    ASSERT_TRUE(run.step(step, How::kReplay));
    EXPECT_EQ(g_dispatches, 0) << "step " << step;
    if (step == 2) submits_of_a_step = g_submits;
    EXPECT_EQ(g_submits, submits_of_a_step);
  }
  EXPECT_EQ(submits_of_a_step, 1 + 2 + 1);  // zero_grads, two micro-steps, update
  g_dispatches = 0;
  run.runner().executor().record(model::segment::kUpdate);
  EXPECT_GT(g_dispatches, 0) << "the counter counts";
  run.finish();
}

TEST(GpuReplay, ANotFiniteGradientSkipsTheStepBitForBit) {
  TrainRun run(1);
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
  TrainRun run(1);
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
  TrainRun plain(1);
  TrainRun evaluated(1);
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
  TrainRun run(2, [&] { return going; });
  ASSERT_TRUE(run.step(0, How::kReplay));
  const Outcome before = run.finish();
  going = false;
  EXPECT_FALSE(run.step(1, How::kReplay));
  EXPECT_FALSE(run.runner().evaluate(Split::kTrain, 2).has_value());
  EXPECT_EQ(run.finish().params, before.params);
}

TEST(GpuReplay, ThePlannedMemoryIsWhatIsAllocated) {
  TrainRun run(1);
  const auto planned = static_cast<double>(run.runner().executor().schedule().memory.total_bytes());
  const auto allocated = static_cast<double>(run.runner().store().allocated_bytes());
  EXPECT_NEAR(allocated / planned, 1, 0.05);
}

}  // namespace
}  // namespace vkgpt::train
