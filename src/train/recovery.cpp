#include "vkgpt/train/recovery.hpp"

#include <utility>

#include "vkgpt/core/log.hpp"
#include "vkgpt/vk/result.hpp"

namespace vkgpt::train {
namespace {

constexpr int kMaxLosses = 3;

}  // namespace

TrainSummary train_with_recovery(const OpenDevice& open_device, const RunInput& input, TrainConfig config) {
  double share = 1;  // of the work that submissions and dispatches hold at first
  std::unique_ptr<vk::Context> context;
  // Closed when the next one is open: the driver stays loaded, and pointers into it, which layers keep, stay
  // good. With no instance open it is unloaded, and may come back at another address.
  std::unique_ptr<vk::Context> lost;
  for (int losses = 0;; ++losses) {
    try {
      context = open_device();
      lost.reset();
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
