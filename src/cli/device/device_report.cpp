#include "cli/device/device_report.hpp"

#include <array>
#include <cstdint>

#include <nlohmann/json.hpp>

#include "vkgpt/core/check.hpp"
#include "vkgpt/core/format.hpp"
#include "vkgpt/core/units.hpp"
#include "vkgpt/core/utf8.hpp"
#include "vkgpt/ops/backend.hpp"
#include "vkgpt/vk/device_profile.hpp"

#include "cli/device/backend_report.hpp"
#include "cli/device/record_report.hpp"

namespace vkgpt::cli {
namespace {

using vk::DeviceCaps;
using vk::DeviceType;
using vk::PhysicalDevice;

std::string_view type_name(DeviceType type) {
  switch (type) {
    case DeviceType::kDiscrete:
      return "discrete";
    case DeviceType::kIntegrated:
      return "integrated";
    case DeviceType::kVirtual:
      return "virtual";
    case DeviceType::kCpu:
      return "cpu";
    case DeviceType::kOther:
      break;
  }
  return "other";
}

std::string version_text(std::uint32_t version) {
  return vkgpt::format("{}.{}.{}", VK_API_VERSION_MAJOR(version), VK_API_VERSION_MINOR(version),
                       VK_API_VERSION_PATCH(version));
}

std::string dimensions(const std::array<std::uint32_t, 3>& sizes) {
  return vkgpt::format("{} x {} x {}", sizes[0], sizes[1], sizes[2]);
}

std::string yes_no(bool value) {
  return value ? "yes" : "no";
}

/// "8x8x8 f16 -> f32, ...", or "none".
std::string matrices_text(const DeviceCaps& caps) {
  std::string text;
  for (const vk::CooperativeMatrixShape& s : caps.cooperative_matrices) {
    text += vkgpt::format("{}{}x{}x{} {} -> {}", text.empty() ? "" : ", ", s.m, s.n, s.k, s.ab_type,
                          s.result_type);
  }
  return text.empty() ? "none" : text;
}

/// "workgroup scope, ...; 16x16x16 f16 -> f32 of a subgroup, 32x32x16 f16 -> f32 of 256 invocations, ...".
std::string matrix2_text(const vk::CooperativeMatrix2& matrix) {
  const std::pair<bool, std::string_view> features[] = {
      {matrix.workgroup_scope, "workgroup scope"},
      {matrix.flexible_dimensions, "flexible dimensions"},
      {matrix.reductions, "reductions"},
      {matrix.conversions, "conversions"},
      {matrix.per_element_operations, "per-element operations"},
      {matrix.tensor_addressing, "tensor addressing"},
      {matrix.block_loads, "block loads"}};
  std::string text;
  for (const auto& [present, name] : features) {
    if (present) text += vkgpt::format("{}{}", text.empty() ? "" : ", ", name);
  }
  std::string_view separator = "; ";
  for (const vk::FlexibleMatrixShape& s : matrix.shapes) {
    text += vkgpt::format("{}{}x{}x{} {} -> {} of {}", separator, s.m, s.n, s.k, s.ab_type, s.result_type,
                          s.invocations == 0 ? "a subgroup" : vkgpt::format("{} invocations", s.invocations));
    separator = ", ";
  }
  return text;
}

std::string caps_lines(const vk::Target& target) {
  const DeviceCaps& caps = target.caps;
  std::string text;
  const auto line = [&text](std::string_view name, const std::string& value) {
    text += vkgpt::format("   {:<16}{}\n", name, value);
  };
  const std::string budget =
      caps.heap_budget_bytes == 0 ? "budget unknown" : format_bytes(caps.heap_budget_bytes) + " free for us";
  line("type", std::string(type_name(caps.type)));
  line("driver", caps.driver);
  line("Vulkan", version_text(caps.api_version));
  line("UUID", caps.uuid);
  line("memory", vkgpt::format("{}, {}", format_bytes(caps.heap_bytes), budget));
  line("buffers",
       vkgpt::format("{} a binding (offsets in {}), {} an allocation",
                     format_bytes(caps.max_storage_buffer_range), format_bytes(caps.storage_buffer_alignment),
                     format_bytes(caps.max_allocation_bytes)));
  line("subgroups",
       vkgpt::format("{} ({} to {}, {})", caps.subgroup_size, caps.min_subgroup_size, caps.max_subgroup_size,
                     caps.subgroup_size_control ? "selectable" : "fixed"));
  line("workgroup",
       vkgpt::format("{} invocations, {}, {} shared memory", caps.max_workgroup_invocations,
                     dimensions(caps.max_workgroup_size), format_bytes(caps.shared_memory_bytes)));
  line("dispatch", vkgpt::format("{} workgroups, {} of push constants", dimensions(caps.max_workgroup_count),
                                 format_bytes(caps.max_push_constant_bytes)));
  line("16-bit",
       vkgpt::format("f16 {}, bf16 {}, storage {}; int64 {}", yes_no(caps.shader_f16),
                     yes_no(caps.shader_bf16), yes_no(caps.storage_16bit), yes_no(caps.shader_int64)));
  line("matrices", matrices_text(caps));
  if (caps.cooperative_matrix2) line("matrices 2", matrix2_text(*caps.cooperative_matrix2));
  for (const std::string_view op : ops::kOpsWithBackends) line(op, backends_text(target, op));
  line("statistics", caps.pipeline_statistics ? "of pipelines: see 'vkgpt kernels --stats'" : "none");
  line("timestamps",
       caps.timestamp_period_ns == 0 ? "none" : vkgpt::format("{} ns", caps.timestamp_period_ns));
  return text;
}

}  // namespace

nlohmann::ordered_json target_json(const vk::Target& target) {
  nlohmann::ordered_json json = vk::caps_json(target.caps);
  json["api_version"] = version_text(target.caps.api_version);
  json["backends"] = backends_json(target);
  return json;
}

std::vector<std::string> choice_reasons(const std::vector<PhysicalDevice>& devices,
                                        const PhysicalDevice* chosen, std::string_view selector) {
  std::vector<std::string> reasons;
  for (const PhysicalDevice& device : devices) {
    VKGPT_CHECK(chosen != nullptr || !device.rejection.empty(), "{} can be used", device.caps.name);
    if (!device.rejection.empty()) {
      reasons.push_back(vkgpt::format("cannot be used: it {}", device.rejection));
    } else if (&device == chosen) {
      reasons.push_back(
          selector.empty() ? vkgpt::format("chosen: the best usable device ({})", type_name(device.caps.type))
                           : vkgpt::format("chosen: --device {}", selector));
    } else if (!selector.empty()) {
      reasons.push_back(vkgpt::format("not chosen: --device {} is another one", selector));
    } else if (device.caps.type == chosen->caps.type) {
      reasons.push_back("not chosen: the first of several like it is taken");
    } else {
      reasons.push_back(vkgpt::format("not chosen: a device of type {} is preferred to one of type {}",
                                      type_name(chosen->caps.type), type_name(device.caps.type)));
    }
  }
  return reasons;
}

std::string device_table(const std::vector<PhysicalDevice>& devices, const PhysicalDevice* chosen,
                         std::string_view selector, const KernelRecords& records) {
  const std::vector<std::string> reasons = choice_reasons(devices, chosen, selector);
  std::string text;
  for (std::size_t i = 0; i < devices.size(); ++i) {
    text += vkgpt::format("{}{}: {}\n   {:<16}{}\n", i == 0 ? "" : "\n", i, devices[i].caps.name, "choice",
                          reasons[i]);
    // Of a device below Vulkan 1.3 nothing more is known.
    if (devices[i].caps.uuid.empty()) continue;
    text += caps_lines(devices[i].target());
    if (const auto record = records.find(devices[i].caps.uuid); record != records.end())
      text += vkgpt::format("   {:<16}{}\n", "kernels", printable(record_text(record->second), 2000));
  }
  return text;
}

nlohmann::ordered_json devices_json(const std::vector<PhysicalDevice>& devices, const PhysicalDevice* chosen,
                                    std::string_view selector, const KernelRecords& records) {
  const std::vector<std::string> reasons = choice_reasons(devices, chosen, selector);
  nlohmann::ordered_json result = {{"devices", nlohmann::ordered_json::array()}, {"chosen", nullptr}};
  for (std::size_t i = 0; i < devices.size(); ++i) {
    nlohmann::ordered_json device = target_json(devices[i].target());
    device["usable"] = devices[i].rejection.empty();
    device["choice"] = reasons[i];
    device["failed"] = nlohmann::ordered_json::object();
    if (const auto record = records.find(devices[i].caps.uuid); record != records.end()) {
      for (const auto& [name, failure] : record->second.failed) device["failed"][name] = failure.reason;
    }
    result["devices"].push_back(std::move(device));
    if (&devices[i] == chosen) result["chosen"] = i;
  }
  return result;
}

}  // namespace vkgpt::cli
