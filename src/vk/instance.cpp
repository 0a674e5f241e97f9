#include "vkgpt/vk/instance.hpp"

#include <algorithm>
#include <cstdlib>
#include <iterator>
#include <optional>
#include <utility>

#include "vkgpt/core/error.hpp"
#include "vkgpt/core/format.hpp"
#include "vkgpt/core/log.hpp"
#include "vkgpt/core/process_limits.hpp"
#include "vkgpt/core/units.hpp"
#include "vkgpt/vk/result.hpp"

#include "vk/loader_lists.hpp"

namespace vkgpt::vk {
namespace {

/// While an instance is made only to learn which settings the layer knows, messages are not logged.
thread_local bool is_probing = false;

constexpr const char* kLayerName = "VK_LAYER_KHRONOS_validation";
constexpr std::string_view kNoDriver =
    "no Vulkan driver was found: install the driver of your GPU, or mesa-vulkan-drivers for one that runs on "
    "the CPU";
constexpr std::uint64_t kLeastAddressSpace = std::uint64_t{640} << 20;  // with less, drivers crash

struct AllowedMessage {
  std::string_view id;
  std::string_view part;  // of the text
};

/// Messages that do not tell of a defect.
constexpr AllowedMessage kAllowedMessages[] = {
    // GPU-assisted validation takes features, a descriptor set and memory for itself and says so at each
    // start: the first two in layers up to 1.4.309, the third in later ones.
    {"WARNING-GPU-Assisted-Validation", "Internal Warning: Forcing "},
    {"WARNING-GPU-Assisted-Validation", "Internal Warning: Setting "},
    {"WARNING-Setting-Limit-Adjusted", ""},
};

bool is_allowed(std::string_view id, std::string_view text) {
  return std::ranges::any_of(kAllowedMessages, [&](const AllowedMessage& allowed) {
    return allowed.id == id && text.contains(allowed.part);
  });
}

std::string one_line(std::string_view text) {
  std::string line;
  for (const char c : text) {
    const bool is_space = c == '\n' || c == '\t' || c == ' ';
    if (!is_space) {
      line += c;
    } else if (!line.empty() && line.back() != ' ') {
      line += ' ';
    }
  }
  return line;
}

VKAPI_ATTR VkBool32 VKAPI_CALL on_message(VkDebugUtilsMessageSeverityFlagBitsEXT severity,
                                          VkDebugUtilsMessageTypeFlagsEXT types,
                                          const VkDebugUtilsMessengerCallbackDataEXT* data, void* user) {
  // The caller is C code: nothing may be thrown through it.
  try {
    const std::string_view id = data->pMessageIdName == nullptr ? "" : data->pMessageIdName;
    const std::string_view text = data->pMessage == nullptr ? "" : data->pMessage;
    const bool is_validation = (types & VK_DEBUG_UTILS_MESSAGE_TYPE_VALIDATION_BIT_EXT) != 0;
    const bool is_error = (severity & VK_DEBUG_UTILS_MESSAGE_SEVERITY_ERROR_BIT_EXT) != 0;
    if (!is_validation || is_allowed(id, text)) {
      log_debug("{}: {}", id, text);
      return VK_FALSE;
    }
    static_cast<MessageSink*>(user)->add(
        vkgpt::format("Vulkan validation {}: {}: {}", is_error ? "error" : "warning", id, one_line(text)));
  } catch (...) {
    return VK_FALSE;
  }
  return VK_FALSE;
}

VkDebugUtilsMessengerCreateInfoEXT messenger_info(MessageSink* sink) {
  return {.sType = VK_STRUCTURE_TYPE_DEBUG_UTILS_MESSENGER_CREATE_INFO_EXT,
          .pNext = nullptr,
          .flags = 0,
          .messageSeverity =
              VK_DEBUG_UTILS_MESSAGE_SEVERITY_WARNING_BIT_EXT | VK_DEBUG_UTILS_MESSAGE_SEVERITY_ERROR_BIT_EXT,
          .messageType = VK_DEBUG_UTILS_MESSAGE_TYPE_GENERAL_BIT_EXT |
                         VK_DEBUG_UTILS_MESSAGE_TYPE_VALIDATION_BIT_EXT |
                         VK_DEBUG_UTILS_MESSAGE_TYPE_PERFORMANCE_BIT_EXT,
          .pfnUserCallback = on_message,
          .pUserData = sink};
}

/// Mesa's driver for CPUs takes vectors of 256 bits by itself; with 512, where the processor has them, a step
/// takes three quarters of the time (shaders/docs/compilers.md). What the user has set stays.
void prefer_wide_vectors() {
#if defined(__x86_64__)
  const bool has_avx512 = __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
                          __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl");
  if (has_avx512) setenv("LP_NATIVE_VECTOR_WIDTH", "512", 0);
#endif
}

std::string find_layer_version() {
  std::uint32_t count = 0;
  VK_CHECK(vkEnumerateInstanceLayerProperties(&count, nullptr));
  std::vector<VkLayerProperties> layers(count);
  VK_CHECK(vkEnumerateInstanceLayerProperties(&count, layers.data()));
  for (const VkLayerProperties& layer : layers) {
    if (std::string_view(layer.layerName) != kLayerName) continue;
    const std::uint32_t v = layer.specVersion;
    return vkgpt::format("{}.{}.{}", VK_API_VERSION_MAJOR(v), VK_API_VERSION_MINOR(v),
                         VK_API_VERSION_PATCH(v));
  }
  fail("validation was asked for, but {} is not installed: install the package vulkan-validationlayers",
       kLayerName);
}

std::vector<std::string> instance_extensions(const char* layer) {
  std::uint32_t count = 0;
  VK_CHECK(vkEnumerateInstanceExtensionProperties(layer, &count, nullptr));
  std::vector<VkExtensionProperties> extensions(count);
  VK_CHECK(vkEnumerateInstanceExtensionProperties(layer, &count, extensions.data()));
  std::vector<std::string> names;
  for (const VkExtensionProperties& extension : extensions) names.emplace_back(extension.extensionName);
  return names;
}

/// The layer's settings for a mode: core and synchronization checks on one side, GPU-assisted ones on the
/// other.
std::vector<VkLayerSettingEXT> layer_settings(ValidationMode mode) {
  static const VkBool32 on = VK_TRUE;
  static const VkBool32 off = VK_FALSE;
  const auto setting = [](const char* name, const VkBool32& value) {
    return VkLayerSettingEXT{kLayerName, name, VK_LAYER_SETTING_TYPE_BOOL32_EXT, 1, &value};
  };
  const bool sync = mode == ValidationMode::kSync;
  const bool gpu = mode == ValidationMode::kGpu;
  return {
      setting("enable_message_limit", off),
      setting("validate_core", gpu ? off : on),
      setting("validate_sync", sync ? on : off),
      // Without the heuristic the layer does not look at what shaders access through descriptors.
      setting("syncval_shader_accesses_heuristic", sync ? on : off),
      setting("syncval_submit_time_validation", sync ? on : off),
      setting("gpuav_enable", gpu ? on : off),
      // Off, so that it need not say that there are no ray queries.
      setting("gpuav_validate_ray_query", off),
  };
}

void check_address_space() {
  const std::optional<std::uint64_t> limit = address_space_limit();
  if (!limit || *limit >= kLeastAddressSpace) return;
  fail(
      "out of memory: this process may have {} of address space, a Vulkan driver takes 1 GiB and more: raise "
      "the limit (ulimit -v)",
      format_bytes(*limit));
}

/// Removes the settings that a message names.
std::size_t drop_unknown(std::vector<VkLayerSettingEXT>& settings, const std::vector<std::string>& messages) {
  return std::erase_if(settings, [&](const VkLayerSettingEXT& setting) {
    return std::ranges::any_of(messages, [&](const std::string& message) {
      return message.contains("not recognized") && message.contains(setting.pSettingName);
    });
  });
}

void open_loader() {
  check_address_space();
  if (volkInitialize() != VK_SUCCESS) {
    fail("no Vulkan loader was found (libvulkan.so.1): install the package libvulkan1 and a driver");
  }
  if (volkGetInstanceVersion() < VK_API_VERSION_1_3) {
    fail("the Vulkan loader is older than Vulkan 1.3: update the package libvulkan1");
  }
}

VkInstance create(const VkInstanceCreateInfo& info) {
  const std::unique_lock lock(loader_lists());
  VkInstance instance = VK_NULL_HANDLE;
  const VkResult result = vkCreateInstance(&info, nullptr, &instance);
  if (result == VK_ERROR_INCOMPATIBLE_DRIVER) fail("{}", kNoDriver);
  check_result(result, "vkCreateInstance");
  return instance;
}

void destroy(VkInstance instance) {
  const std::unique_lock lock(loader_lists());
  vkDestroyInstance(instance, nullptr);
}

constexpr VkApplicationInfo kApplication = {.sType = VK_STRUCTURE_TYPE_APPLICATION_INFO,
                                            .pNext = nullptr,
                                            .pApplicationName = "vkgpt",
                                            .applicationVersion = 1,
                                            .pEngineName = "vkgpt",
                                            .engineVersion = 1,
                                            .apiVersion = VK_API_VERSION_1_3};

}  // namespace

std::shared_mutex& loader_lists() {
  static std::shared_mutex mutex;
  return mutex;
}

ValidationMode parse_validation_mode(std::string_view text) {
  if (text == "off") return ValidationMode::kOff;
  if (text == "core") return ValidationMode::kCore;
  if (text == "sync") return ValidationMode::kSync;
  if (text == "gpu") return ValidationMode::kGpu;
  fail_usage("validation '{}' is unknown: use off, core, sync or gpu", text);
}

void MessageSink::add(std::string message) {
  if (!is_probing) log_error("{}", message);
  const std::lock_guard lock(mutex_);
  messages_.push_back(std::move(message));
}

std::size_t MessageSink::count() const {
  const std::lock_guard lock(mutex_);
  return messages_.size();
}

std::vector<std::string> MessageSink::take() {
  const std::lock_guard lock(mutex_);
  return std::exchange(messages_, {});
}

Instance::Instance(ValidationMode validation)
    : validation_(validation), messages_(std::make_unique<MessageSink>()) {
  open_loader();
  prefer_wide_vectors();
  const bool validate = validation != ValidationMode::kOff;
  if (validate) layer_version_ = find_layer_version();

  std::vector<std::string> available = instance_extensions(nullptr);
  if (validate) std::ranges::copy(instance_extensions(kLayerName), std::back_inserter(available));
  std::vector<const char*> enabled;
  const auto enable = [&](const char* name) {
    const bool found = std::ranges::contains(available, std::string_view(name));
    if (found) enabled.push_back(name);
    return found;
  };
  has_debug_utils_ = enable(VK_EXT_DEBUG_UTILS_EXTENSION_NAME);
  const bool has_portability = enable(VK_KHR_PORTABILITY_ENUMERATION_EXTENSION_NAME);
  if (validate && (!has_debug_utils_ || !enable(VK_EXT_LAYER_SETTINGS_EXTENSION_NAME))) {
    fail("the validation layer {} is too old to be configured: update the package vulkan-validationlayers",
         layer_version_);
  }

  const VkDebugUtilsMessengerCreateInfoEXT messenger = messenger_info(messages_.get());
  VkLayerSettingsCreateInfoEXT settings_info = {.sType = VK_STRUCTURE_TYPE_LAYER_SETTINGS_CREATE_INFO_EXT,
                                                .pNext = &messenger,
                                                .settingCount = 0,
                                                .pSettings = nullptr};
  const VkInstanceCreateInfo info = {
      .sType = VK_STRUCTURE_TYPE_INSTANCE_CREATE_INFO,
      .pNext = validate ? &settings_info : nullptr,
      .flags = has_portability ? VkInstanceCreateFlags{VK_INSTANCE_CREATE_ENUMERATE_PORTABILITY_BIT_KHR} : 0,
      .pApplicationInfo = &kApplication,
      .enabledLayerCount = validate ? 1u : 0u,
      .ppEnabledLayerNames = &kLayerName,
      .enabledExtensionCount = static_cast<std::uint32_t>(enabled.size()),
      .ppEnabledExtensionNames = enabled.data()};
  // A layer names the settings that it does not know in messages, and in no other way.
  is_probing = true;
  std::vector<std::string> messages;
  for (std::vector<VkLayerSettingEXT> settings = layer_settings(validation);;) {
    settings_info.settingCount = static_cast<std::uint32_t>(settings.size());
    settings_info.pSettings = settings.data();
    instance_ = create(info);
    volkLoadInstanceOnly(instance_);
    messages = messages_->take();
    if (drop_unknown(settings, messages) == 0) break;
    destroy(instance_);
  }
  is_probing = false;
  for (std::string& message : messages) messages_->add(std::move(message));

  if (validate) {
    const VkResult created = vkCreateDebugUtilsMessengerEXT(instance_, &messenger, nullptr, &messenger_);
    if (created != VK_SUCCESS) {
      destroy(instance_);
      check_result(created, "vkCreateDebugUtilsMessengerEXT");
    }
  }
}

Instance::~Instance() {
  if (messenger_ != VK_NULL_HANDLE) vkDestroyDebugUtilsMessengerEXT(instance_, messenger_, nullptr);
  destroy(instance_);
}
void Instance::check_messages() const {
  const std::vector<std::string> messages = messages_->take();
  if (messages.empty()) return;
  fail("{} (validation reported {} message{} in all)", messages.front(), messages.size(),
       messages.size() == 1 ? "" : "s");
}

}  // namespace vkgpt::vk
