#include "vkgpt/plan/memory_limit.hpp"

#include "vkgpt/core/format.hpp"
#include "vkgpt/core/units.hpp"
#include "vkgpt/plan/limits.hpp"
#include "vkgpt/vk/result.hpp"

namespace vkgpt::plan {

std::string memory_table(const MemoryPlan& memory) {
  std::string text;
  for (const auto& [role, bytes] : memory.bytes_by_role) {
    text += vkgpt::format("{}{} {}", text.empty() ? "" : ", ", role_name(role), format_bytes(bytes));
  }
  return text;
}

void check_memory(const MemoryPlan& memory, const vk::DeviceCaps& caps) {
  if (caps.heap_bytes == 0) return;
  const std::uint64_t needed = memory.total_bytes();
  check_fits(needed <= caps.heap_bytes, "the plan needs {} of memory ({}), {} has {}", format_bytes(needed),
             memory_table(memory), caps.is_cpu() ? "this machine" : caps.name, format_bytes(caps.heap_bytes));
  if (caps.heap_budget_bytes > 0 && needed > caps.heap_budget_bytes) {
    throw vk::OutOfMemory(
        vkgpt::format("out of memory: the plan needs {} ({}), {} of {} are free; smaller sizes need less",
                      format_bytes(needed), memory_table(memory), format_bytes(caps.heap_budget_bytes),
                      format_bytes(caps.heap_bytes)));
  }
}

}  // namespace vkgpt::plan
