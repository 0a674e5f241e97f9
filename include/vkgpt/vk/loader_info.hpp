#pragma once

#include <string>
#include <vector>

namespace vkgpt::vk {

/// What the Vulkan loader of this system says, before an instance is made.
struct LoaderInfo {
  struct Layer {
    std::string name;
    std::string version;  // of Vulkan that it was written for
  };
  std::string version;        // of Vulkan; empty: there is no loader
  std::vector<Layer> layers;  // that programs may ask for, or that load by themselves
};

/// Never throws.
LoaderInfo query_loader();

}  // namespace vkgpt::vk
