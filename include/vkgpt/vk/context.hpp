#pragma once

#include <filesystem>
#include <functional>
#include <string>

#include "vkgpt/vk/device.hpp"
#include "vkgpt/vk/instance.hpp"
#include "vkgpt/vk/pipeline.hpp"
#include "vkgpt/vk/queue.hpp"
#include "vkgpt/vk/shader_compiler.hpp"
#include "vkgpt/vk/staging.hpp"

namespace vkgpt::vk {

struct ContextOptions {
  std::string device;  // see `select_device`
  ValidationMode validation = ValidationMode::kOff;
  std::filesystem::path cache_dir = default_cache_dir();
  std::filesystem::path shader_dir = {};  // see `ShaderSources`
  KernelChoices kernels = {};  // joined by what the cache directory's record says (see `KernelRecord`)
  /// Sees the chosen device and its choices of kernels before it is opened; may refuse it.
  std::function<void(const Target&)> check = {};
};

/// The device that a context with these options opens.
PhysicalDevice choose_device(const Instance& instance, const ContextOptions& options);

/// One device, ready to work: what every command of the program opens first. Members are in the order of
/// their construction.
class Context {
 public:
  explicit Context(const ContextOptions& options);

  const vk::Device& device() const { return device_; }
  vk::Device& device() { return device_; }
  const DeviceCaps& caps() const { return device_.caps(); }
  const Target& target() const { return device_.target(); }
  const vk::Instance& instance() const { return instance_; }
  vk::ShaderCompiler& compiler() { return compiler_; }
  vk::PipelineCache& pipelines() { return pipelines_; }
  vk::Queue& queue() { return queue_; }
  vk::Staging& staging() { return staging_; }

 private:
  vk::Instance instance_;
  vk::Device device_;
  vk::ShaderCompiler compiler_;
  vk::PipelineCache pipelines_;
  vk::Queue queue_;
  vk::Staging staging_;
};

}  // namespace vkgpt::vk
