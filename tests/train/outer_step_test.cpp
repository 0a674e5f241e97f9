#include "vkgpt/train/outer_step.hpp"

#include <memory>
#include <mutex>

#include <gtest/gtest.h>

#include "check/compare.hpp"
#include "gpu_context.hpp"
#include "support/thread_ranks.hpp"
#include "support/train_run.hpp"

namespace vkgpt::train {
namespace {

using test::run_ranks;
using test::small_model;

/// A device for each worker, opened before their threads and closed after them: Vulkan loaders (1.4.309, for
/// one) do not keep their lists of instances whole for threads that use others meanwhile.
std::vector<std::unique_ptr<vk::Context>> open_contexts(int count) {
  std::vector<std::unique_ptr<vk::Context>> contexts;
  for (int i = 0; i < count; ++i) contexts.push_back(test::open_context());
  return contexts;
}

/// A worker on a device of its own.
class Worker {
 public:
  Worker(vk::Context& context, comm::Communicator& ranks, const TrainConfig& config, std::uint64_t seed,
         comm::Communicator* together)
      : context_(context),
        tokens_(check::random_tokens(400, 7, static_cast<std::int32_t>(small_model().vocab_size))),
        loader_(std::span<const std::int32_t>(tokens_), std::span<const std::int32_t>(tokens_),
                small_model().block_size, seed),
        runner_(
            context_, small_model(), config, loader_, [] { return true; }, plan::Executor::kSubmitBudgetNs,
            together),
        ranks_(ranks) {
    runner_.set_parameters(model::initial_parameters(runner_.params(), 1));
  }
  ~Worker() {
    for (const std::string& message : context_.instance().messages().take()) ADD_FAILURE() << message;
  }

  StepRunner& runner() { return runner_; }
  OuterStep outer(const OuterOptions& options) {
    OuterStep step(ranks_, runner_.store(), runner_.params().trainable_elements(), options);
    step.begin();
    return step;
  }
  std::vector<float> weights() {
    runner_.drain();
    std::vector<float> values(static_cast<std::size_t>(runner_.params().trainable_elements()));
    runner_.store().download(model::tensor::kParams, std::as_writable_bytes(std::span(values)));
    return values;
  }

 private:
  vk::Context& context_;
  std::vector<std::int32_t> tokens_;
  DataLoader loader_;
  StepRunner runner_;
  comm::Communicator& ranks_;
};

TrainConfig config_of(const std::string& amp) {
  TrainConfig config = test::small_training();
  config.amp = amp;
  return config;
}

/// Weights of every worker after `rounds` rounds of `every` steps.
std::vector<std::vector<float>> train_apart(int workers, int rounds, int every, const OuterOptions& options,
                                            bool same_data, const std::string& amp = "off") {
  std::vector<std::vector<float>> weights(static_cast<std::size_t>(workers));
  const auto contexts = open_contexts(workers);
  run_ranks(workers, [&](comm::Communicator& ranks) {
    const auto rank = static_cast<std::size_t>(ranks.rank());
    Worker worker(*contexts[rank], ranks, config_of(amp),
                  same_data ? 5 : 5 + static_cast<std::uint64_t>(ranks.rank()), nullptr);
    OuterStep outer = worker.outer(options);
    for (int step = 0; step < rounds * every; ++step) {
      worker.runner().submit(step, 3e-3);
      if ((step + 1) % every != 0) continue;
      worker.runner().drain();
      outer.run();
      worker.runner().prepare();
    }
    weights[rank] = worker.weights();
  });
  return weights;
}

TEST(GpuOuterStep, OfIdenticalWorkersIsOneWorkerBitForBit) {
  for (const char* amp : {"off", "fp16"}) {
    if (amp != std::string("off") && !test::stores(DType::kF16)) continue;
    const OuterOptions plain{.learning_rate = 1, .momentum = 0, .bits = 32};
    const std::vector<float> one = train_apart(1, 1, 8, plain, true, amp)[0];
    for (const std::vector<float>& worker : train_apart(3, 8, 1, plain, true, amp)) EXPECT_EQ(worker, one);
  }
}

TEST(GpuOuterStep, LeavesAllWorkersWithTheSameWeights) {
  const std::vector<float> exact = train_apart(2, 3, 4, {.bits = 32}, false)[0];
  for (const int bits : {32, 8, 4}) {
    const auto weights = train_apart(2, 3, 4, {.bits = bits}, false);
    EXPECT_EQ(weights[0], weights[1]);
    double error = 0;
    double size = 0;
    for (std::size_t i = 0; i < exact.size(); ++i) {
      error += std::abs(static_cast<double>(weights[0][i]) - exact[i]);
      size += std::abs(static_cast<double>(exact[i]));
    }
    EXPECT_LT(error, (bits == 32 ? 0 : bits == 8 ? 0.01 : 0.1) * size + 1e-30);
  }
}

/// The gradients of one rank are not finite: none changes a weight.
class GpuRankSteps : public testing::TestWithParam<std::tuple<const char*, const char*>> {};

TEST_P(GpuRankSteps, ANaNOfOneRankIsSkippedByAll) {
  const auto [amp, order] = GetParam();
  if (amp != std::string("off") && !test::stores(DType::kF16)) GTEST_SKIP() << "no 16-bit storage";
  const auto contexts = open_contexts(2);
  run_ranks(2, [&](comm::Communicator& ranks) {
    TrainConfig config = config_of(amp);
    config.grad_accum_steps = 2;
    config.sum_order = order;
    Worker worker(*contexts[static_cast<std::size_t>(ranks.rank())], ranks, config, 5, &ranks);
    StepRunner& runner = worker.runner();
    runner.run_eager(0, 3e-3);
    runner.submit(1, 3e-3);
    const std::vector<float> before = worker.weights();
    if (ranks.rank() == 1) {
      const float nan = std::numeric_limits<float>::quiet_NaN();
      runner.store().upload(model::tensor::kParams, std::as_bytes(std::span(&nan, 1)));
      runner.prepare();
    }
    runner.submit(2, 3e-3);
    EXPECT_EQ(worker.weights(), before) << "rank 0 gave rank 1 its weight back";
    runner.submit(3, 3e-3);
    EXPECT_NE(worker.weights(), before);
    for (const bool skipped : {false, false, true, false}) {
      const std::optional<StepOutcome> outcome = runner.take_outcome();
      ASSERT_TRUE(outcome);
      EXPECT_EQ(outcome->results.skipped, skipped) << outcome->step;
    }
  });
}

INSTANTIATE_TEST_SUITE_P(All, GpuRankSteps,
                         testing::Combine(testing::Values("off", "fp16"), testing::Values("rank", "step")));

}  // namespace
}  // namespace vkgpt::train
