// GPT-2 124M trains although its embedding (154 MB) is larger than one descriptor may cover on lavapipe.

#include <cmath>

#include <gtest/gtest.h>

#include "vkgpt/model/gpt_params.hpp"
#include "vkgpt/train/step_runner.hpp"

#include "check/compare.hpp"
#include "gpu_context.hpp"

namespace vkgpt::train {
namespace {

TEST(SlowGpt2Size, TrainsTwoSteps) {
  model::GptConfig model;
  model.vocab_size = 50257;
  model.n_layer = 12;
  model.n_head = 12;
  model.n_embd = 768;
  model.block_size = 128;
  TrainConfig config;
  config.batch_size = 1;
  // One crop fits, so that both steps see the same tokens.
  const std::vector<std::int32_t> tokens = check::random_tokens(129, 3, 50257);
  const DataLoader loader(std::span<const std::int32_t>(tokens), std::span<const std::int32_t>(tokens),
                          model.block_size, 1);
  StepRunner runner(test::shared_context(), model, config, loader, [] { return true; });
  EXPECT_EQ(runner.params().parameter_count(), 123'751'680);  // 124.4 M with 1024 positions
  EXPECT_GT(runner.params().find("wte.weight").numel() * 4,
            static_cast<std::int64_t>(test::shared_context().caps().max_storage_buffer_range))
      << "this device binds the whole embedding";
  runner.set_parameters(model::initial_parameters(runner.params(), 1));
  ASSERT_TRUE(runner.run_eager(0, 1e-3));
  ASSERT_TRUE(runner.submit(1, 1e-3));
  runner.drain();
  const auto first = runner.take_outcome();
  const auto second = runner.take_outcome();
  ASSERT_TRUE(first && second);
  EXPECT_NEAR(first->results.loss, std::log(50257.0), 0.5);
  EXPECT_LT(second->results.loss, first->results.loss - 0.5F);
  EXPECT_EQ(first->results.skipped + second->results.skipped, 0);
  EXPECT_GT(first->results.grad_norm, 0);
}

}  // namespace
}  // namespace vkgpt::train
