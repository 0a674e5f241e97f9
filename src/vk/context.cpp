#include "vkgpt/vk/context.hpp"

#include <map>
#include <mutex>

#include "vkgpt/vk/kernel_record.hpp"

namespace vkgpt::vk {
namespace {

/// The device's record as this process first read it. What a self-test beside it finds holds from the next
/// start on: a device that is lost and opened again takes the same kernels and gives the same bits.
KernelRecord first_record(const std::filesystem::path& cache_dir, const DeviceCaps& caps) {
  static std::mutex mutex;
  static std::map<std::filesystem::path, KernelRecord> records;
  const std::scoped_lock lock(mutex);
  const auto [place, is_new] = records.try_emplace(kernel_record_path(cache_dir, caps));
  if (is_new) place->second = read_kernel_record(cache_dir, caps);
  return place->second;
}

}  // namespace

PhysicalDevice choose_device(const Instance& instance, const ContextOptions& options) {
  PhysicalDevice device = select_device(enumerate_devices(instance), options.device);
  query_matrices(device);
  device.kernels = options.kernels;
  first_record(options.cache_dir, device.caps).apply_to(device.kernels);
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
