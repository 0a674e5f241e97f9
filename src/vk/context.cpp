#include "vkgpt/vk/context.hpp"

#include "vkgpt/vk/kernel_record.hpp"

namespace vkgpt::vk {

PhysicalDevice choose_device(const Instance& instance, const ContextOptions& options) {
  PhysicalDevice device = select_device(enumerate_devices(instance), options.device);
  query_matrices(device);
  device.kernels = options.kernels;
  first_kernel_record(options.cache_dir, device.caps).apply_to(device.kernels);
  if (options.check) options.check(device.target());
  return device;
}

Context::Context(const ContextOptions& options)
    : instance_(options.validation),
      device_(instance_, choose_device(instance_, options)),
      compiler_(options.cache_dir, options.shader_dir),
      pipelines_(device_, compiler_, options.cache_dir),
      queue_(device_),
      staging_(device_, queue_) {}

}  // namespace vkgpt::vk
