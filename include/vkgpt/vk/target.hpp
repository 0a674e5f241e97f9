#pragma once

#include "vkgpt/vk/device_caps.hpp"
#include "vkgpt/vk/kernel_choices.hpp"

namespace vkgpt::vk {

/// The device that a plan is made for: its facts and, beside them, which kernels to take on it.
struct Target {
  DeviceCaps caps;
  KernelChoices kernels = {};
};

}  // namespace vkgpt::vk
