#include "vkgpt/vk/context.hpp"

namespace vkgpt::vk {
namespace {

PhysicalDevice with_choices(PhysicalDevice device, const KernelChoices& kernels) {
  device.caps.kernels = kernels;
  return device;
}

}  // namespace

Context::Context(const ContextOptions& options)
    : instance_(options.validation),
      device_(instance_,
              with_choices(select_device(enumerate_devices(instance_), options.device), options.kernels)),
      compiler_(options.cache_dir),
      pipelines_(device_, compiler_, options.cache_dir),
      queue_(device_),
      staging_(device_, queue_) {}

}  // namespace vkgpt::vk
