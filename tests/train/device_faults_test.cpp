// The device is lost at every call of a short run by which a program learns of it: start, steps, evaluation,
// sample and save. The run ends with the bits of one that lost nothing or, past three losses, clearly and
// with its last checkpoint whole.

#include "support/device_faults.hpp"

#include <algorithm>
#include <condition_variable>
#include <cstdlib>
#include <filesystem>
#include <mutex>
#include <string>
#include <string_view>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "vkgpt/text/tokenizer/char_tokenizer.hpp"
#include "vkgpt/train/recovery.hpp"
#include "vkgpt/vk/result.hpp"

#include "gpu_context.hpp"
#include "support/temp_directory.hpp"
#include "support/thread_ranks.hpp"

namespace vkgpt::train {
namespace {

constexpr const char* kFiles[] = {"model.safetensors", "optimizer.safetensors", "ema.safetensors"};

class GpuDeviceFaults : public testing::Test {
 protected:
  GpuDeviceFaults() : tokenizer_(text::CharTokenizer::from_text(kText, "text")) {
    model_.n_layer = 1;
    model_.n_head = 1;
    model_.n_embd = 16;
    model_.block_size = 8;
    model_.vocab_size = tokenizer_.vocab_size();
    config_.batch_size = 2;
    config_.max_steps = 3;
    config_.save_interval = 1;
    config_.eval_interval = 2;
    config_.eval_iters = 1;
    config_.sample_interval = 2;
    config_.sample_tokens = 2;
    config_.sample_prompt = "a";
    config_.stats_interval = 3;
    config_.ema = true;
    config_.keep_checkpoints = 3;
  }

  /// Trains into `out` while `faults` loses devices.
  TrainSummary train(const std::string& out, test::DeviceFaults& faults) {
    TrainConfig config = config_;
    config.out_dir = (directory_ / out).string();
    const text::Corpus corpus = text::Corpus::encode(kText, tokenizer_, 0.3, "text");
    CheckpointStore checkpoints(config.out_dir, static_cast<int>(config.keep_checkpoints));
    return train_with_recovery(
        [&] { return faults.open(); },
        {.model = model_, .tokenizer = tokenizer_, .corpus = corpus, .checkpoints = checkpoints}, config);
  }

  /// Trains into `out` with two ranks; `faults` loses the device of the second.
  void train_together(const std::string& out, test::DeviceFaults& faults) {
    TrainConfig config = config_;
    config.out_dir = (directory_ / out).string();
    CheckpointStore written(config.out_dir, static_cast<int>(config.keep_checkpoints));
    std::mutex opening;  // the driver's functions are global while a device is opened
    std::condition_variable opened;
    bool is_first_open = false;
    test::run_ranks(2, [&](comm::Communicator& ranks) {
      const bool leads = ranks.rank() == 0;
      const auto open = [&] {
        std::unique_lock lock(opening);
        if (!leads) opened.wait(lock, [&] { return is_first_open; });
        auto context = leads ? test::open_context() : faults.open();
        is_first_open = true;
        opened.notify_all();
        return context;
      };
      const text::Corpus corpus = text::Corpus::encode(kText, tokenizer_, 0.3, "text");
      CheckpointStore read(config.out_dir, StoreAccess::kRead);
      train_with_recovery(open,
                          {.model = model_,
                           .tokenizer = tokenizer_,
                           .corpus = corpus,
                           .checkpoints = leads ? written : read,
                           .ranks = &ranks},
                          config);
    });
  }

  /// All tensors of the last checkpoint.
  std::string outcome(const std::string& out) const {
    std::string bytes;
    for (const char* file : kFiles) {
      const Path path = directory_ / out / "step-3" / file;
      if (std::filesystem::exists(path)) bytes += read_file(path);
    }
    return bytes;
  }

  static constexpr const char* kText = "a short text that is learnt again and again, as short texts are";
  TempDirectory directory_{TempDirectory::in_memory()};
  text::CharTokenizer tokenizer_;
  model::GptConfig model_;
  TrainConfig config_;
};

/// VKGPT_FAULTS=all tries every call.
bool is_thorough() {
  const char* wish = std::getenv("VKGPT_FAULTS");
  return wish != nullptr && std::string_view(wish) == "all";
}

/// How many calls apart the losses are.
std::int64_t stride(std::int64_t calls) {
  return is_thorough() ? 1 : std::max<std::int64_t>(1, calls / 12);
}

TEST_F(GpuDeviceFaults, LostAtAnyCallTheRunEndsWithTheSameBits) {
  std::int64_t calls = 0;
  {
    test::DeviceFaults none({});
    EXPECT_EQ(train("whole", none).steps, 3);
    calls = none.calls();
  }
  const std::string whole = outcome("whole");
  ASSERT_FALSE(whole.empty());
  const std::int64_t step = stride(calls);
  for (std::int64_t k = 1; k <= calls; k += step) {
    test::DeviceFaults faults({k});
    const std::string out = "lost" + std::to_string(k);
    try {
      EXPECT_EQ(train(out, faults).steps, 3) << "lost at call " << k << " of " << calls;
    } catch (const std::exception& error) {
      ADD_FAILURE() << "lost at call " << k << " of " << calls << ": " << error.what();
      continue;
    }
    EXPECT_EQ(faults.losses(), 1);
    EXPECT_TRUE(outcome(out) == whole) << "lost at call " << k << " of " << calls;
    remove_tree(directory_ / out);
  }
  RecordProperty("calls", static_cast<int>(calls));
}

TEST_F(GpuDeviceFaults, PastThreeLossesTheLastCheckpointIsWhole) {
  std::int64_t calls = 0;
  {
    test::DeviceFaults none({});
    train("whole", none);
    calls = none.calls();
  }
  // Two before the first step, one when a step is saved, one in what is left of the run.
  const std::int64_t late = calls * 3 / 4 + 5;
  test::DeviceFaults faults({1, 5, late, late + calls / 3});
  try {
    train("gone", faults);
    ADD_FAILURE() << "four losses went unnoticed";
  } catch (const vk::DeviceLost& error) {
    EXPECT_THAT(error.what(), testing::HasSubstr("the GPU was lost"));
  }
  EXPECT_EQ(faults.losses(), 4);
  ASSERT_TRUE(CheckpointStore((directory_ / "gone").string(), 3).newest().has_value());
  test::DeviceFaults none({});
  config_.resume = true;
  EXPECT_EQ(train("gone", none).steps, 3);
  EXPECT_TRUE(outcome("gone") == outcome("whole"));
}

TEST_F(GpuDeviceFaults, OfTwoRanksBothEndAndTheNextStartHasTheSameBits) {
  config_.grad_accum_steps = 2;
  config_.sum_order = "step";
  std::int64_t calls = 0;
  {
    test::DeviceFaults none({});
    train_together("whole", none);
    calls = none.calls();
  }
  const std::string whole = outcome("whole");
  ASSERT_FALSE(whole.empty());
  // While the device is opened, and in the middle of a later step.
  for (std::int64_t k = 1; k <= calls; k += is_thorough() ? 1 : calls * 3 / 4) {
    const std::string out = "lost" + std::to_string(k);
    config_.resume = false;
    test::DeviceFaults faults({k});
    EXPECT_THROW(train_together(out, faults), vk::DeviceLost) << "lost at call " << k << " of " << calls;
    test::DeviceFaults none({});
    config_.resume = true;
    train_together(out, none);
    EXPECT_TRUE(outcome(out) == whole) << "lost at call " << k << " of " << calls;
    remove_tree(directory_ / out);
  }
}

}  // namespace
}  // namespace vkgpt::train
