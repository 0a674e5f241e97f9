#pragma once

#include "vkgpt/vk/context.hpp"
#include "vkgpt/vkgpt.hpp"

namespace vkgpt::api {

inline vk::ContextOptions context_options(const DeviceOptions& options) {
  return {.device = options.device, .validation = vk::parse_validation_mode(options.validation)};
}

}  // namespace vkgpt::api
