#pragma once

#include <vector>

#include "vkgpt/vk/command_buffer.hpp"

namespace vkgpt::plan {

/// A copy from the host's memory to the device's.
struct UploadCopy {
  vk::BufferRange from, to;
};

/// The descriptor sets and push constants of a segment's dispatches for one slot, in order, and what is
/// copied before the first of them. They outlive the use of the commands that were recorded with them.
struct DescriptorSets {
  vk::DescriptorPool pool;
  std::vector<VkDescriptorSet> sets;
  std::vector<std::vector<std::uint32_t>> push;
  std::vector<UploadCopy> copies;
};

}  // namespace vkgpt::plan
