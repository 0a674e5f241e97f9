#pragma once

#include <memory>

#include "vkgpt/vk/context.hpp"

namespace vkgpt::test {

/// Opens the test device, a driver for CPUs, with memory of the test's own for every buffer: it ends, but for
/// less than 16 bytes, where a page does, and the next page is nobody's, so that a kernel which reads behind
/// it ends the process. Needs VK_EXT_external_memory_host. One is open at a time.
std::unique_ptr<vk::Context> open_fenced();

}  // namespace vkgpt::test
