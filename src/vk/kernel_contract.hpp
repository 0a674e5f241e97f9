#pragma once

#include "vkgpt/vk/device_caps.hpp"
#include "vkgpt/vk/pipeline_key.hpp"
#include "vkgpt/vk/spirv_interface.hpp"

namespace vkgpt::vk {

/// Compares what a kernel's SPIR-V expects with what the host gives it: number of bindings without gaps, size
/// of the push constants, specialization constants 0, 1, ..., whole subgroups, and extensions of the device.
/// Throws `Error` in one line that names the kernel and the difference.
void check_contract(const PipelineKey& key, const SpirvInterface& shader, const DeviceCaps& caps);

}  // namespace vkgpt::vk
