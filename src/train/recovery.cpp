#include "vkgpt/train/recovery.hpp"

#include <utility>

#include "vkgpt/core/log.hpp"
#include "vkgpt/vk/result.hpp"

namespace vkgpt::train {
namespace {

constexpr int kMaxLosses = 3;

}  // namespace

TrainSummary train_with_recovery(const OpenDevice& open_device, const RunInput& input, TrainConfig config) {
  double budget_ns = plan::Executor::kSubmitBudgetNs;
  std::unique_ptr<vk::Context> context;
  // Closed when the next one is open: the driver stays loaded, and pointers into it, which layers keep, stay
  // good. With no instance open it is unloaded, and may come back at another address.
  std::unique_ptr<vk::Context> lost;
  for (int losses = 0;; ++losses) {
    try {
      context = open_device();
      lost.reset();
      return Trainer(*context, input, config, budget_ns).run();
    } catch (const vk::DeviceLost& error) {
      if (losses == kMaxLosses || input.ranks != nullptr) throw;  // other ranks cannot go back alone
      lost = std::move(context);
      budget_ns /= 2;
      config.resume = true;
      log_warning("{}; opening the device again with {:.0f} ms of work per submission", error.what(),
                  budget_ns / 1e6);
    }
  }
}

}  // namespace vkgpt::train
