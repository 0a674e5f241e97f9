// The training loop: what it allocates, and what it leaves when something fails.

#include "vkgpt/train/trainer.hpp"

#include <cstdint>
#include <filesystem>
#include <fstream>
#include <optional>
#include <string>

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "vkgpt/core/hash.hpp"
#include "vkgpt/text/tokenizer/char_tokenizer.hpp"
#include "vkgpt/train/resume.hpp"

#include "gpu_context.hpp"
#include "support/call_counter.hpp"
#include "support/expect_error.hpp"
#include "support/temp_directory.hpp"

namespace vkgpt::train {
namespace {

class GpuTrainer : public testing::Test {
 protected:
  static std::string text() {
    std::string text;
    for (int i = 0; i < 400; ++i) text += "one two three " + std::to_string(i) + "\n";
    return text;
  }

  GpuTrainer() {
    model_.vocab_size = tokenizer_.vocab_size();
    model_.n_layer = 1;
    model_.n_head = 2;
    model_.n_embd = 32;
    model_.block_size = 32;
    config_.out_dir = (directory_ / "run").string();
    config_.batch_size = 2;
    config_.max_steps = 12;
    config_.eval_interval = 3;
    config_.eval_iters = 2;
    config_.stats_interval = 2;
    config_.sample_interval = 4;
    config_.sample_prompt = "one";
    config_.sample_tokens = 40;  // longer than the context: it is read again
    config_.save_interval = 5;
    text::TokenFileWriter writer(shard(), 2);
    writer.append(tokenizer_.encode(text()));
    writer.finish();
  }

  static constexpr double kValFraction = 0.2;

  Path shard() const { return directory_ / "train.bin"; }

  /// Trains, and calls `at_end` before anything is given back.
  void train(std::function<bool(const Progress&)> on_step, const std::function<void()>& at_end = [] {}) {
    const text::Corpus corpus = text::Corpus::open_shards(shard().string(), model_.vocab_size, kValFraction);
    CheckpointStore checkpoints(config_.out_dir);
    const RunInput input{.model = model_,
                         .tokenizer = tokenizer_,
                         .corpus = corpus,
                         .checkpoints = checkpoints,
                         .on_step = std::move(on_step)};
    Trainer trainer(test::shared_context(), input, config_, plan::Executor::kSubmitBudgetNs);
    trainer.run();
    at_end();
  }

  /// Allocations on the device between the first step's end and the end of the run.
  int allocations_after_the_first_step() {
    test::CallCounter counter;
    int allocations = -1;
    train(
        [&](const Progress& progress) {
          if (progress.step == 1) counter.reset();
          return true;
        },
        [&] { allocations = counter.allocations(); });
    return allocations;
  }

  TempDirectory directory_;
  text::CharTokenizer tokenizer_ = text::CharTokenizer::from_text(text(), "text");
  model::GptConfig model_;
  TrainConfig config_;
};

TEST_F(GpuTrainer, AllocatesNothingAfterTheFirstStep) {
  EXPECT_EQ(allocations_after_the_first_step(), 0);
}

TEST_F(GpuTrainer, AllocatesNothingAfterTheFirstStepWithEverythingOn) {
  config_.ema = true;
  config_.grad_accum_steps = 2;
  config_.curriculum = true;
  config_.curriculum_start_block_size = 8;
  config_.curriculum_fraction = 0.5;
  config_.dropout = 0.1;
  if (test::shared_context().caps().storage_16bit) config_.amp = "auto";
  EXPECT_EQ(allocations_after_the_first_step(), 0);
}

TEST_F(GpuTrainer, TheCounterOfAllocationsCounts) {
  test::CallCounter counter;
  const vk::Buffer buffer(test::shared_context().device(), 1 << 20, vk::MemoryKind::kDevice, "counted");
  EXPECT_GE(counter.allocations(), 1);
  counter.reset();
  const vk::CommandBuffer commands(test::shared_context().device(), "counted");
  EXPECT_EQ(counter.allocations(), 2);
}

TEST_F(GpuTrainer, TheBestLossIsOfOneValidationSet) {
  config_.max_steps = 6;
  train([](const Progress&) { return true; });
  const Checkpoint saved = CheckpointStore(config_.out_dir).newest().value();
  const auto best_with = [&](double val_fraction) {
    const text::Corpus corpus = text::Corpus::open_shards(shard().string(), model_.vocab_size, val_fraction);
    return resume_state(saved, model_, config_, corpus).best_val_loss;
  };
  EXPECT_TRUE(best_with(kValFraction));
  EXPECT_FALSE(best_with(0.4));
}

TEST_F(GpuTrainer, AShardThatIsCutSavesWhatIsReachedAndIsNamed) {
  config_.save_interval = 1000;
  config_.eval_interval = 0;
  expect_error(
      [&] {
        train([&](const Progress& progress) {
          if (progress.step == 4) std::filesystem::resize_file(shard(), 1100);
          return true;
        });
      },
      shard().string() + ": ");
  CheckpointStore checkpoints(config_.out_dir);
  const std::optional<Checkpoint> saved = checkpoints.newest();
  ASSERT_TRUE(saved.has_value());
  EXPECT_GE(saved->step, 4U);
}

}  // namespace
}  // namespace vkgpt::train
