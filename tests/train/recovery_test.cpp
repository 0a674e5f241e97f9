// A lost device: training goes on from the last checkpoint on a new one and ends with the same bits.

#include "vkgpt/train/recovery.hpp"

#include <atomic>
#include <cstdlib>

#include <dlfcn.h>
#include <gtest/gtest.h>

#include "vkgpt/core/error.hpp"
#include "vkgpt/text/tokenizer/char_tokenizer.hpp"
#include "vkgpt/vk/result.hpp"

#include "support/paths.hpp"
#include "support/temp_directory.hpp"

namespace vkgpt::train {
namespace {

VolkDeviceTable g_real;
std::atomic<int> g_submits_left = 0;

VkResult submit_until_lost(VkQueue queue, std::uint32_t count, const VkSubmitInfo2* infos, VkFence fence) {
  if (--g_submits_left <= 0) return VK_ERROR_DEVICE_LOST;
  return g_real.vkQueueSubmit2(queue, count, infos, fence);
}

/// Opens the test device and counts it; the first `losses` ones are lost after `submits` submissions.
OpenDevice fragile_device(int& opened, int losses, int submits) {
  return [=, &opened] {
    vk::ContextOptions options;
    if (const char* device = std::getenv("VKGPT_DEVICE")) options.device = device;
    options.cache_dir = test::program().parent_path() / "test-cache";
    auto context = std::make_unique<vk::Context>(options);
    if (opened++ < losses) {
      g_real = context->device().table();
      g_submits_left = submits;
      context->device().mutable_table().vkQueueSubmit2 = submit_until_lost;
    }
    return context;
  };
}

class GpuRecovery : public testing::Test {
 protected:
  TrainSummary train(const std::string& out, const OpenDevice& open_device) {
    TrainConfig config;
    config.out_dir = (directory_ / out).string();
    config.batch_size = 2;
    config.max_steps = 12;
    config.save_interval = 4;
    config.eval_interval = 0;
    config.sample_interval = 0;
    config.eval_iters = 1;
    model::GptConfig model;
    model.n_layer = 1;
    model.n_head = 2;
    model.n_embd = 32;
    model.block_size = 16;
    std::string text;
    for (int i = 0; i < 60; ++i) text += "one two three " + std::to_string(i) + "\n";
    const text::CharTokenizer tokenizer = text::CharTokenizer::from_text(text, "text");
    model.vocab_size = tokenizer.vocab_size();
    const text::Corpus corpus = text::Corpus::encode(text, tokenizer, 0.2, "text");
    CheckpointStore checkpoints(config.out_dir);
    return train_with_recovery(
        open_device, {.model = model, .tokenizer = tokenizer, .corpus = corpus, .checkpoints = checkpoints},
        config);
  }

  std::string weights(const std::string& out) const {
    return read_file(directory_ / out / "step-12" / "model.safetensors");
  }

  TempDirectory directory_;
};

TEST_F(GpuRecovery, GoesOnFromTheLastCheckpoint) {
  int opened = 0;
  EXPECT_EQ(train("whole", fragile_device(opened, 0, 0)).steps, 12);
  EXPECT_EQ(opened, 1);
  opened = 0;
  // The first step, run eagerly, takes some 50 submissions, the others two each.
  EXPECT_EQ(train("lost", fragile_device(opened, 2, 70)).steps, 12);
  EXPECT_GT(opened, 1);
  EXPECT_TRUE(weights("lost") == weights("whole"));
}

TEST_F(GpuRecovery, ALossBeforeTheFirstStepIsALossToo) {
  int opened = 0;
  EXPECT_EQ(train("early", fragile_device(opened, 1, 1)).steps, 12) << "while memory is cleared";
  EXPECT_EQ(opened, 2);
}

TEST_F(GpuRecovery, TheDriverStaysLoadedWhileADeviceIsOpenedAgain) {
  int opened = 0;
  Dl_info driver{};
  const OpenDevice fragile = fragile_device(opened, 1, 70);
  const OpenDevice looking = [&] {
    if (opened == 1) {
      void* const loaded = dlopen(driver.dli_fname, RTLD_NOW | RTLD_NOLOAD);
      EXPECT_NE(loaded, nullptr) << driver.dli_fname;
      if (loaded != nullptr) dlclose(loaded);
    }
    auto context = fragile();
    dladdr(reinterpret_cast<const void*>(context->device().table().vkQueueWaitIdle), &driver);
    return context;
  };
  EXPECT_EQ(train("loaded", looking).steps, 12);
  EXPECT_EQ(opened, 2);
}

TEST_F(GpuRecovery, AwaitsADeviceThatIsMissingAfterALoss) {
  int opened = 0, asked = 0;
  const OpenDevice fragile = fragile_device(opened, 1, 70);
  const OpenDevice missing_at_first = [&] {
    if (++asked == 2) throw vk::DeviceLost("the GPU was lost while it was opened");
    if (asked == 3) fail("there is no device");
    return fragile();
  };
  EXPECT_EQ(train("missing", missing_at_first).steps, 12);
  EXPECT_EQ(asked, 4);
}

TEST_F(GpuRecovery, GivesUpAfterThreeLosses) {
  int opened = 0;
  EXPECT_THROW(train("gone", fragile_device(opened, 100, 40)), vk::DeviceLost);
  EXPECT_EQ(opened, 4);
}

}  // namespace
}  // namespace vkgpt::train
