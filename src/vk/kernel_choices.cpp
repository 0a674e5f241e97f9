#include "vkgpt/vk/kernel_choices.hpp"

#include "vkgpt/core/check.hpp"
#include "vkgpt/core/format.hpp"

namespace vkgpt::vk {

std::string_view backend_name(Backend backend) {
  switch (backend) {
    case Backend::kScalar:
      return "scalar";
    case Backend::kSimt:
      return "simt";
    case Backend::kKhr:
      return "khr";
    case Backend::kNv:
      return "nv";
  }
  VKGPT_CHECK(false, "backend {}", static_cast<int>(backend));
}

std::optional<Backend> find_backend(std::string_view name) {
  for (const Backend backend : kBackends) {
    if (backend_name(backend) == name) return backend;
  }
  return std::nullopt;
}

std::optional<Backend> KernelChoices::forced(std::string_view op) const {
  VKGPT_CHECK(op == "matmul" || op == "attention", "{} has one backend", op);
  return op == "matmul" ? matmul : attention;
}

bool KernelChoices::allows(std::string_view op, Backend backend) const {
  return !disabled.contains(vkgpt::format("{} {}", op, backend_name(backend)));
}

}  // namespace vkgpt::vk
