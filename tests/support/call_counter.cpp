#include "support/call_counter.hpp"

#include <atomic>

#include "gpu_context.hpp"

namespace vkgpt::test {
namespace {

std::atomic<int> g_dispatches = 0;
std::atomic<int> g_submits = 0;
VolkDeviceTable g_real;

void count_dispatch(VkCommandBuffer commands, std::uint32_t x, std::uint32_t y, std::uint32_t z) {
  ++g_dispatches;
  g_real.vkCmdDispatch(commands, x, y, z);
}

VkResult count_submit(VkQueue queue, std::uint32_t count, const VkSubmitInfo2* infos, VkFence fence) {
  ++g_submits;
  return g_real.vkQueueSubmit2(queue, count, infos, fence);
}

}  // namespace

CallCounter::CallCounter() : table_(shared_context().device().mutable_table()) {
  g_real = table_;
  table_.vkCmdDispatch = count_dispatch;
  table_.vkQueueSubmit2 = count_submit;
  reset();
}

CallCounter::~CallCounter() {
  table_ = g_real;
}

void CallCounter::reset() {
  g_dispatches = 0;
  g_submits = 0;
}

int CallCounter::dispatches() const {
  return g_dispatches;
}

int CallCounter::submits() const {
  return g_submits;
}

}  // namespace vkgpt::test
