#include "vkgpt/vk/context.hpp"

namespace vkgpt::vk {

Context::Context(const ContextOptions& options)
    : instance_(options.validation),
      device_(instance_, select_device(enumerate_devices(instance_), options.device)),
      compiler_(options.cache_dir),
      pipelines_(device_, compiler_, options.cache_dir),
      queue_(device_),
      staging_(device_, queue_) {}

}  // namespace vkgpt::vk
