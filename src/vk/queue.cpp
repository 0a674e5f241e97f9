#include "vkgpt/vk/queue.hpp"

#include <chrono>

#include "vkgpt/core/check.hpp"
#include "vkgpt/core/format.hpp"
#include "vkgpt/core/log.hpp"
#include "vkgpt/vk/result.hpp"

namespace vkgpt::vk {
namespace {

// A wait in slices notices a device that was lost in the meantime on drivers that do not end the wait then.
constexpr double kSliceSeconds = 0.5;
constexpr auto kWaitSliceNs = static_cast<std::uint64_t>(kSliceSeconds * 1e9);

}  // namespace

Queue::Queue(const Device& device) : device_(device) {
  VkSemaphoreTypeCreateInfo type{};
  type.sType = VK_STRUCTURE_TYPE_SEMAPHORE_TYPE_CREATE_INFO;
  type.semaphoreType = VK_SEMAPHORE_TYPE_TIMELINE;
  const VkSemaphoreCreateInfo info = {
      .sType = VK_STRUCTURE_TYPE_SEMAPHORE_CREATE_INFO, .pNext = &type, .flags = 0};
  VK_CHECK(device.table().vkCreateSemaphore(device.handle(), &info, nullptr, &timeline_));
  device.set_name(VK_OBJECT_TYPE_SEMAPHORE, reinterpret_cast<std::uint64_t>(timeline_), "queue timeline");
}

void Queue::finish() const noexcept {
  if (hangs_) return;
  // A failure here is a lost device, which has nothing in flight any more.
  static_cast<void>(device_.table().vkQueueWaitIdle(device_.queue()));
}

Queue::~Queue() {
  finish();
  device_.table().vkDestroySemaphore(device_.handle(), timeline_, nullptr);
}

std::uint64_t Queue::submit(const CommandBuffer& commands, std::string_view label) {
  last_label_ = label;
  VkCommandBufferSubmitInfo command_info{};
  command_info.sType = VK_STRUCTURE_TYPE_COMMAND_BUFFER_SUBMIT_INFO;
  command_info.commandBuffer = commands.handle();
  VkSemaphoreSubmitInfo signal{};
  signal.sType = VK_STRUCTURE_TYPE_SEMAPHORE_SUBMIT_INFO;
  signal.semaphore = timeline_;
  signal.value = submitted_ + 1;
  signal.stageMask = VK_PIPELINE_STAGE_2_ALL_COMMANDS_BIT;
  VkSubmitInfo2 info{};
  info.sType = VK_STRUCTURE_TYPE_SUBMIT_INFO_2;
  info.commandBufferInfoCount = 1;
  info.pCommandBufferInfos = &command_info;
  info.signalSemaphoreInfoCount = 1;
  info.pSignalSemaphoreInfos = &signal;
  VK_CHECK(device_.table().vkQueueSubmit2(device_.queue(), 1, &info, VK_NULL_HANDLE), last_label_);
  return ++submitted_;
}

std::uint64_t Queue::completed() const {
  std::uint64_t value = 0;
  VK_CHECK(device_.table().vkGetSemaphoreCounterValue(device_.handle(), timeline_, &value), last_label_);
  return value;
}

VkResult Queue::wait_patiently(const VkSemaphoreWaitInfo& info) const {
  // Slices are counted, not the clock: while this process is stopped, a CPU driver is too.
  constexpr int kPatience = static_cast<int>(kPatienceSeconds / kSliceSeconds);
  constexpr int kDeadline = static_cast<int>(kDeadlineSeconds / kSliceSeconds);
  std::uint64_t reached = 0;
  for (int slices = 1;; ++slices) {
    const VkResult result = device_.table().vkWaitSemaphores(device_.handle(), &info, kWaitSliceNs);
    if (result != VK_TIMEOUT || slices == kDeadline) return result;
    if (const std::uint64_t now = completed(); now != reached) {
      reached = now;
      slices = 0;
    }
    if (slices == kPatience)
      log_info("waiting for the GPU, {:.0f} s so far: '{}'", kPatienceSeconds, last_label_);
  }
}

void Queue::wait(std::uint64_t value) const {
  VKGPT_CHECK(value <= submitted_, "value {} was not submitted, the last is {}", value, submitted_);
  VkSemaphoreWaitInfo info{};
  info.sType = VK_STRUCTURE_TYPE_SEMAPHORE_WAIT_INFO;
  info.semaphoreCount = 1;
  info.pSemaphores = &timeline_;
  info.pValues = &value;
  const auto start = std::chrono::steady_clock::now();
  const VkResult result = wait_patiently(info);
  waited_seconds_ += std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
  if (result == VK_TIMEOUT) {
    hangs_ = true;
    throw DeviceLost(vkgpt::format("the GPU hangs: nothing was completed for {:.0f} s during '{}'",
                                   kDeadlineSeconds, last_label_));
  }
  check_result(result, "vkWaitSemaphores", last_label_);
  if (device_.instance().validation() == ValidationMode::kGpu) {
    // The layer reads what shaders reported when the queue is idle, not when a semaphore is waited for, and
    // drops it when the command buffer is gone by then.
    VK_CHECK(device_.table().vkQueueWaitIdle(device_.queue()), last_label_);
  }
}

}  // namespace vkgpt::vk
