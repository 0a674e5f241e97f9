#pragma once

#include <array>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <string_view>

namespace vkgpt::vk {

/// The families of kernels behind ops that have several.
enum class Backend {
  kScalar,  // tiles in registers, one subgroup a workgroup; runs everywhere
  kSimt,    // tiles in shared memory
  kKhr,     // VK_KHR_cooperative_matrix
  kNv       // VK_NV_cooperative_matrix2
};

inline constexpr std::array kBackends = {Backend::kScalar, Backend::kSimt, Backend::kKhr, Backend::kNv};

/// "scalar", "simt", "khr", "nv".
std::string_view backend_name(Backend backend);

/// The backend of that name; nothing for any other word ("auto").
std::optional<Backend> find_backend(std::string_view name);

/// Knowledge beyond a device's own word of the kernels that suit it: the user's wish, self-tests that
/// failed, measurements of the tuner. The default is no knowledge, and good.
struct KernelChoices {
  /// Taken wherever it can do the work at hand.
  std::optional<Backend> matmul = {}, attention = {};
  /// "matmul khr", "attention nv": never taken, a self-test found them wrong.
  std::set<std::string> disabled = {};
  /// A kernel's text by the key of the work, as the tuner measured it; an op ignores what it does not know.
  std::map<std::string, std::string> measured = {};

  /// The backend that the user wants for `op` ("matmul", "attention").
  std::optional<Backend> forced(std::string_view op) const;
  bool allows(std::string_view op, Backend backend) const;
};

}  // namespace vkgpt::vk
