#pragma once

#include <vector>

#include "vkgpt/vk/command_buffer.hpp"

namespace vkgpt::plan {

/// The descriptor sets of a segment's dispatches for one slot, in order. They outlive the use of the commands
/// that were recorded with them.
struct DescriptorSets {
  vk::DescriptorPool pool;
  std::vector<VkDescriptorSet> sets;
};

}  // namespace vkgpt::plan
