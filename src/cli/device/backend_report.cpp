#include "cli/device/backend_report.hpp"

#include <algorithm>
#include <array>
#include <optional>
#include <vector>

#include <nlohmann/json.hpp>

#include "vkgpt/core/error.hpp"
#include "vkgpt/core/format.hpp"
#include "vkgpt/core/log.hpp"
#include "vkgpt/core/utf8.hpp"
#include "vkgpt/ops/backend.hpp"
#include "vkgpt/vk/shader_compiler.hpp"

#include "cli/device/record_report.hpp"

namespace vkgpt::cli {
namespace {

using ops::Backend;

constexpr std::array kTypes = {DType::kF32, DType::kF16, DType::kBF16};

bool is_usable(const vk::DeviceCaps& caps, Backend backend) {
  return std::ranges::any_of(kTypes, [&](DType dtype) { return ops::has_backend(caps, backend, dtype); });
}

std::string obstacle(const vk::DeviceCaps& caps, Backend backend) {
  if (caps.cooperative_matrices.empty()) return caps.name + " has no cooperative matrices";
  if (backend == Backend::kNv && !caps.cooperative_matrix2) {
    return caps.name + " has no VK_NV_cooperative_matrix2";
  }
  return caps.name + " has no cooperative matrices that suit";
}

/// The backends of `op` that a self-test has switched off and that would be tried before the others.
std::vector<Backend> missed(const vk::Target& target, std::string_view op) {
  vk::Target all = target;
  all.kernels.disabled.clear();
  std::vector<Backend> backends;
  for (const DType dtype : kTypes) {
    for (const Backend backend : ops::backend_order(all, op, dtype)) {
      if (target.kernels.allows(op, backend)) break;
      if (!std::ranges::contains(backends, backend)) backends.push_back(backend);
    }
  }
  return backends;
}

std::string names(const std::vector<Backend>& backends) {
  std::string text;
  for (const Backend backend : backends) {
    text += vkgpt::format("{}{}", text.empty() ? "" : ", ", vk::backend_name(backend));
  }
  return text;
}

}  // namespace

void check_backends(const vk::Target& target) {
  warn_of_failed(vk::first_kernel_record(vk::default_cache_dir(), target.caps), target.caps.name);
  for (const std::string_view op : ops::kOpsWithBackends) {
    const std::optional<Backend> forced = target.kernels.forced(op);
    if (forced && !is_usable(target.caps, *forced)) {
      fail_usage("--{}_backend {}: {}; 'vkgpt devices' lists what there is", op, vk::backend_name(*forced),
                 obstacle(target.caps, *forced));
    }
    for (const Backend backend : missed(target, op)) {
      log_warning("{} {} is {} its self-test failed; see 'vkgpt selftest'", op, vk::backend_name(backend),
                  forced == backend ? "forced although" : "off on this device:");
    }
  }
}

std::string backends_text(const vk::Target& target, std::string_view op) {
  std::string text;
  for (const DType dtype : kTypes) {
    const std::vector<Backend> order = ops::backend_order(target, op, dtype);
    std::vector<Backend> others = ops::usable_backends(target.caps, dtype);
    if (others.empty()) continue;
    std::erase_if(others, [&](Backend backend) { return std::ranges::contains(order, backend); });
    text += vkgpt::format("{}{} {}{}", text.empty() ? "" : "; ", dtype_name(dtype), names(order),
                          others.empty() ? "" : vkgpt::format(" (or {})", names(others)));
  }
  for (const std::string& name : target.kernels.disabled) {
    if (name.starts_with(op)) text += vkgpt::format("; {} is off, its self-test failed", printable(name));
  }
  return text;
}

nlohmann::ordered_json backends_json(const vk::Target& target) {
  const auto json = [](const std::vector<Backend>& backends) {
    nlohmann::ordered_json list = nlohmann::ordered_json::array();
    for (const Backend backend : backends) list.push_back(vk::backend_name(backend));
    return list;
  };
  nlohmann::ordered_json result;
  for (const std::string_view op : ops::kOpsWithBackends) {
    for (const DType dtype : kTypes) {
      const std::vector<Backend> usable = ops::usable_backends(target.caps, dtype);
      if (usable.empty()) continue;
      result[op][dtype_name(dtype)] = {{"order", json(ops::backend_order(target, op, dtype))},
                                       {"usable", json(usable)}};
    }
  }
  result["disabled"] = target.kernels.disabled;
  return result;
}

}  // namespace vkgpt::cli
