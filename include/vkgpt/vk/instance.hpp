#pragma once

#include <cstdint>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <vector>

#include <volk.h>

namespace vkgpt::vk {

/// Which checks of the Khronos validation layer run. `kSync` includes core; `kGpu` is GPU-assisted and runs
/// without the others.
enum class ValidationMode { kOff, kCore, kSync, kGpu };

/// Parses "off", "core", "sync", "gpu"; a usage error otherwise.
ValidationMode parse_validation_mode(std::string_view text);

/// Collects the warnings and errors of the validation layer. Safe from several threads.
class MessageSink {
 public:
  void add(std::string message);
  std::size_t count() const;
  /// The messages so far, which are removed.
  std::vector<std::string> take();

 private:
  mutable std::mutex mutex_;
  std::vector<std::string> messages_;
};

/// The loader and, on request, the validation layer with its message sink.
class Instance {
 public:
  /// Fails when there is no Vulkan loader, or when validation is asked for and the layer is not installed.
  explicit Instance(ValidationMode validation = ValidationMode::kOff);
  ~Instance();
  Instance(const Instance&) = delete;
  Instance& operator=(const Instance&) = delete;

  VkInstance handle() const { return instance_; }
  ValidationMode validation() const { return validation_; }
  bool has_debug_utils() const { return has_debug_utils_; }
  /// Version of the validation layer that was loaded, "1.4.309"; empty without validation.
  const std::string& layer_version() const { return layer_version_; }
  MessageSink& messages() const { return *messages_; }
  /// Throws `Error` with the first message when validation has reported any since the last call.
  void check_messages() const;

 private:
  VkInstance instance_ = VK_NULL_HANDLE;
  VkDebugUtilsMessengerEXT messenger_ = VK_NULL_HANDLE;
  ValidationMode validation_;
  bool has_debug_utils_ = false;
  std::string layer_version_;
  std::unique_ptr<MessageSink> messages_;
};

}  // namespace vkgpt::vk
