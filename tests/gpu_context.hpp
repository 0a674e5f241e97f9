#pragma once

#include <functional>
#include <memory>

#include "vkgpt/core/dtype.hpp"
#include "vkgpt/vk/context.hpp"

namespace vkgpt::test {

/// Opens the device of `shared_context` once more.
std::unique_ptr<vk::Context> open_context();

/// Opens it without validation; `before_device` may change what is known of the driver's functions.
std::unique_ptr<vk::Context> open_unvalidated(const std::function<void()>& before_device);

/// The device that every Gpu suite shares, opened at first use: the one that the environment variable
/// VKGPT_DEVICE selects, with the validation of VKGPT_VALIDATION (off, core, sync or gpu). A missing driver
/// or layer fails the tests, it does not skip them.
vk::Context& shared_context();

/// Whether buffers of the shared device may hold elements of `dtype`.
bool stores(DType dtype);

/// Makes every test fail during which validation reported anything about the shared context.
void watch_shared_context();

/// To be called after the last test: layers are gone when static objects are destroyed.
void close_shared_context();

}  // namespace vkgpt::test
