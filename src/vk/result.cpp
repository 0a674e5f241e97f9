#include "vkgpt/vk/result.hpp"

#include <utility>

#include "vkgpt/core/format.hpp"

namespace vkgpt::vk {

std::string_view result_name(VkResult result) {
#define VKGPT_RESULT(name) \
  case name:               \
    return #name
  switch (result) {
    VKGPT_RESULT(VK_SUCCESS);
    VKGPT_RESULT(VK_NOT_READY);
    VKGPT_RESULT(VK_TIMEOUT);
    VKGPT_RESULT(VK_EVENT_SET);
    VKGPT_RESULT(VK_EVENT_RESET);
    VKGPT_RESULT(VK_INCOMPLETE);
    VKGPT_RESULT(VK_PIPELINE_COMPILE_REQUIRED);
    VKGPT_RESULT(VK_ERROR_OUT_OF_HOST_MEMORY);
    VKGPT_RESULT(VK_ERROR_OUT_OF_DEVICE_MEMORY);
    VKGPT_RESULT(VK_ERROR_INITIALIZATION_FAILED);
    VKGPT_RESULT(VK_ERROR_DEVICE_LOST);
    VKGPT_RESULT(VK_ERROR_MEMORY_MAP_FAILED);
    VKGPT_RESULT(VK_ERROR_LAYER_NOT_PRESENT);
    VKGPT_RESULT(VK_ERROR_EXTENSION_NOT_PRESENT);
    VKGPT_RESULT(VK_ERROR_FEATURE_NOT_PRESENT);
    VKGPT_RESULT(VK_ERROR_INCOMPATIBLE_DRIVER);
    VKGPT_RESULT(VK_ERROR_TOO_MANY_OBJECTS);
    VKGPT_RESULT(VK_ERROR_FORMAT_NOT_SUPPORTED);
    VKGPT_RESULT(VK_ERROR_FRAGMENTED_POOL);
    VKGPT_RESULT(VK_ERROR_UNKNOWN);
    VKGPT_RESULT(VK_ERROR_OUT_OF_POOL_MEMORY);
    VKGPT_RESULT(VK_ERROR_INVALID_EXTERNAL_HANDLE);
    VKGPT_RESULT(VK_ERROR_FRAGMENTATION);
    VKGPT_RESULT(VK_ERROR_INVALID_OPAQUE_CAPTURE_ADDRESS);
    VKGPT_RESULT(VK_ERROR_VALIDATION_FAILED_EXT);
    VKGPT_RESULT(VK_ERROR_INVALID_SHADER_NV);
    VKGPT_RESULT(VK_ERROR_NOT_PERMITTED_KHR);
    default:
      return "unknown VkResult";
  }
#undef VKGPT_RESULT
}

void check_result(VkResult result, std::string_view expression, std::string_view label) {
  if (result == VK_SUCCESS) return;
  const std::string during = label.empty() ? std::string() : vkgpt::format(" during '{}'", label);
  if (result == VK_ERROR_DEVICE_LOST) {
    throw DeviceLost(
        vkgpt::format("the GPU was lost{} ({}: VK_ERROR_DEVICE_LOST): its watchdog or driver ended the work",
                      during, expression));
  }
  std::string failure = vkgpt::format("Vulkan call failed{}: {} returned {} ({})", during, expression,
                                      result_name(result), static_cast<int>(result));
  if (result == VK_ERROR_OUT_OF_DEVICE_MEMORY || result == VK_ERROR_OUT_OF_HOST_MEMORY) {
    throw OutOfMemory(std::move(failure));
  }
  throw Error(std::move(failure));
}

}  // namespace vkgpt::vk
