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

/// The validation loss that a run's log has for a step; there is none twice.
std::optional<double> logged_val_loss(const Path& run, std::uint64_t step) {
  std::optional<double> found;
  std::ifstream log(run / "metrics.jsonl");
  for (std::string line; std::getline(log, line);) {
    const auto record = nlohmann::json::parse(line);
    if (record["step"] != step || !record.contains("val_loss")) continue;
    EXPECT_FALSE(found) << line;
    found = record["val_loss"].get<double>();
  }
  return found;
}

TEST_F(GpuTrainer, AnEvaluationThatASignalEndedIsMadeUpFirst) {
  const Path run = config_.out_dir;
  config_.save_interval = config_.eval_interval = 1000;
  train([](const Progress& progress) { return progress.step < 5; });
  const auto newest = [](const Path& directory) { return CheckpointStore(directory).newest().value(); };
  const Checkpoint stopped = newest(run);
  ASSERT_LT(stopped.step, 12U);
  ASSERT_FALSE(stopped.val_loss);
  std::filesystem::copy(run, directory_ / "ended", std::filesystem::copy_options::recursive);
  const auto always = [](const Progress&) { return true; };
  config_.eval_interval = static_cast<std::int64_t>(stopped.step);
  config_.out_dir = (directory_ / "whole").string();
  train(always);
  const std::optional<double> expected = logged_val_loss(config_.out_dir, stopped.step);
  ASSERT_TRUE(expected);

  config_.resume = true;
  config_.out_dir = run.string();
  train(always);
  EXPECT_EQ(logged_val_loss(run, stopped.step), expected);
  EXPECT_EQ(logged_val_loss(run, 12), logged_val_loss(directory_ / "whole", 12));
  EXPECT_EQ(sha256_file(run / "step-12/model.safetensors"),
            sha256_file(directory_ / "whole/step-12/model.safetensors"));

  // After the last step, too.
  config_.out_dir = (directory_ / "ended").string();
  config_.eval_interval = 1000;
  config_.max_steps = static_cast<std::int64_t>(stopped.step);
  for (int times = 0; times < 2; ++times) train(always);
  EXPECT_EQ(newest(config_.out_dir).val_loss, expected);
  EXPECT_EQ(logged_val_loss(config_.out_dir, stopped.step), expected);
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
