#include "vkgpt/train/recovery.hpp"

#include <chrono>
#include <thread>
#include <utility>

#include "vkgpt/core/error.hpp"
#include "vkgpt/core/interrupt.hpp"
#include "vkgpt/core/log.hpp"
#include "vkgpt/vk/result.hpp"

namespace vkgpt::train {
namespace {

constexpr int kMaxLosses = 3;
constexpr int kMostTries = 60;
constexpr std::chrono::seconds kPause{1};

/// A device that was lost, once more. After a reset it may be missing or refuse for some seconds.
std::unique_ptr<vk::Context> open_again(const OpenDevice& open_device) {
  for (int tries = 1;; ++tries) {
    try {
      return open_device();
    } catch (const Error& error) {
      if (tries == kMostTries || interrupted()) throw;
      log_warning("{}; trying again in {} s", error.what(), kPause.count());
    }
    std::this_thread::sleep_for(kPause);
  }
}

}  // namespace

TrainSummary train_with_recovery(const OpenDevice& open_device, const RunInput& input, TrainConfig config) {
  double share = 1;  // of the work that submissions and dispatches hold at first
  std::unique_ptr<vk::Context> context;
  // Closed when the next one is open: the driver stays loaded, and pointers into it, which layers keep, stay
  // good. With no instance open it is unloaded, and may come back at another address.
  std::unique_ptr<vk::Context> lost;
  for (int losses = 0;; ++losses) {
    if (losses > 0) {
      context = open_again(open_device);
      lost.reset();
    }
    try {
      if (!context) context = open_device();
      context->device().set_dispatch_share(share);
      return Trainer(*context, input, config, share * plan::Executor::kSubmitBudgetNs).run();
    } catch (const vk::DeviceLost& error) {
      if (losses == kMaxLosses || input.ranks != nullptr) throw;  // other ranks cannot go back alone
      if (context) lost = std::move(context);
      share /= 2;
      config.resume = true;
      log_warning(
          "{}; opening the device again with {:.0f} ms of work per submission and dispatches of at most {} "
          "of their size",
          error.what(), share * plan::Executor::kSubmitBudgetNs / 1e6, share);
    }
  }
}

}  // namespace vkgpt::train
