#include "support/call_counter.hpp"

#include <array>
#include <atomic>
#include <cstdint>

#include "gpu_context.hpp"
#include "vk/vma.hpp"

namespace vkgpt::test {
namespace {

std::atomic<int> g_dispatches = 0;
std::atomic<int> g_submits = 0;
std::atomic<int> g_allocations = 0;
std::atomic<int> g_barriers = 0;
std::atomic<int> g_dispatch_barriers = 0;
VolkDeviceTable g_real;

void count_dispatch(VkCommandBuffer commands, std::uint32_t x, std::uint32_t y, std::uint32_t z) {
  ++g_dispatches;
  g_real.vkCmdDispatch(commands, x, y, z);
}

void count_barrier(VkCommandBuffer commands, const VkDependencyInfo* info) {
  const VkMemoryBarrier2& barrier = info->pMemoryBarriers[0];
  const VkPipelineStageFlags2 stages = barrier.srcStageMask | barrier.dstStageMask;
  ++g_barriers;
  if (stages == VK_PIPELINE_STAGE_2_COMPUTE_SHADER_BIT) ++g_dispatch_barriers;
  g_real.vkCmdPipelineBarrier2(commands, info);
}

VkResult count_submit(VkQueue queue, std::uint32_t count, const VkSubmitInfo2* infos, VkFence fence) {
  ++g_submits;
  return g_real.vkQueueSubmit2(queue, count, infos, fence);
}

/// Puts a function that counts in the place of `function`.
template <auto function, typename... Args>
VkResult counted(Args... args) {
  ++g_allocations;
  return (g_real.*function)(args...);
}

template <auto function, typename... Args>
void count_calls(VolkDeviceTable& table, VkResult (*)(Args...)) {
  table.*function = counted<function, Args...>;
}

template <auto function>
void count(VolkDeviceTable& table) {
  count_calls<function>(table, table.*function);
}

/// Allocations from the device's memory, and blocks of it.
int memory_allocations() {
  std::array<VmaBudget, VK_MAX_MEMORY_HEAPS> budgets{};
  vmaGetHeapBudgets(shared_context().device().allocator(), budgets.data());
  std::uint32_t count = 0;
  for (const VmaBudget& budget : budgets) {
    count += budget.statistics.allocationCount + budget.statistics.blockCount;
  }
  return static_cast<int>(count);
}

}  // namespace

CallCounter::CallCounter() : table_(shared_context().device().mutable_table()) {
  g_real = table_;
  table_.vkCmdDispatch = count_dispatch;
  table_.vkCmdPipelineBarrier2 = count_barrier;
  table_.vkQueueSubmit2 = count_submit;
  count<&VolkDeviceTable::vkCreateCommandPool>(table_);
  count<&VolkDeviceTable::vkAllocateCommandBuffers>(table_);
  count<&VolkDeviceTable::vkCreateDescriptorPool>(table_);
  count<&VolkDeviceTable::vkAllocateDescriptorSets>(table_);
  count<&VolkDeviceTable::vkCreateQueryPool>(table_);
  count<&VolkDeviceTable::vkCreateShaderModule>(table_);
  count<&VolkDeviceTable::vkCreateComputePipelines>(table_);
  reset();
}

CallCounter::~CallCounter() {
  table_ = g_real;
}

void CallCounter::reset() {
  g_dispatches = 0;
  g_submits = 0;
  g_allocations = 0;
  g_barriers = 0;
  g_dispatch_barriers = 0;
  memory_at_reset_ = memory_allocations();
}

int CallCounter::allocations() const {
  return g_allocations + memory_allocations() - memory_at_reset_;
}

int CallCounter::dispatches() const {
  return g_dispatches;
}

int CallCounter::barriers() const {
  return g_barriers;
}

int CallCounter::dispatch_barriers() const {
  return g_dispatch_barriers;
}

int CallCounter::submits() const {
  return g_submits;
}

}  // namespace vkgpt::test
