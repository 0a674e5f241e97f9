#pragma once

#include <string>
#include <vector>

#include "vkgpt/vk/kernel_record.hpp"

namespace vkgpt::cli {

/// Says in one line of the log which kernels fail on the device and cannot be replaced, if there are any.
void warn_of_failed(const vk::KernelRecord& record, const std::string& device);

/// What a record says of a device in a line: tested or not, what fails, what is off, how much is tuned.
std::string record_text(const vk::KernelRecord& record);

/// What to do about it.
std::vector<std::string> record_advice(const vk::KernelRecord& record, const std::string& device);

}  // namespace vkgpt::cli
