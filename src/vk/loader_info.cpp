#include "vkgpt/vk/loader_info.hpp"

#include <volk.h>

#include "vkgpt/core/format.hpp"

namespace vkgpt::vk {
namespace {

std::string version_text(std::uint32_t v) {
  return vkgpt::format("{}.{}.{}", VK_API_VERSION_MAJOR(v), VK_API_VERSION_MINOR(v), VK_API_VERSION_PATCH(v));
}

}  // namespace

LoaderInfo query_loader() {
  LoaderInfo info;
  if (volkInitialize() != VK_SUCCESS) return info;
  info.version = version_text(volkGetInstanceVersion());
  std::uint32_t count = 0;
  if (vkEnumerateInstanceLayerProperties(&count, nullptr) != VK_SUCCESS) return info;
  std::vector<VkLayerProperties> layers(count);
  if (vkEnumerateInstanceLayerProperties(&count, layers.data()) < VK_SUCCESS) return info;
  layers.resize(count);
  for (const VkLayerProperties& layer : layers) {
    info.layers.push_back({.name = layer.layerName, .version = version_text(layer.specVersion)});
  }
  return info;
}

}  // namespace vkgpt::vk
