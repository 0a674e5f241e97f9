#pragma once

#include <string>

#include "vkgpt/plan/memory_planner.hpp"
#include "vkgpt/vk/device_caps.hpp"

namespace vkgpt::plan {

/// "parameters 475 MiB, activations 3.5 GiB, ...".
std::string memory_table(const MemoryPlan& memory);

/// Throws `TooLarge` when the plan needs more memory than the device has, and `Error` when it needs more than
/// is free. A driver on the CPU promises memory that is not there, and the system ends the process when it is
/// touched; one of a GPU may put what does not fit into the host's memory without a word.
void check_memory(const MemoryPlan& memory, const vk::DeviceCaps& caps);

}  // namespace vkgpt::plan
