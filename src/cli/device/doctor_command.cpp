#include <algorithm>
#include <optional>
#include <print>
#include <string>
#include <vector>

#include <nlohmann/json.hpp>

#include "vkgpt/core/error.hpp"
#include "vkgpt/core/format.hpp"
#include "vkgpt/core/message.hpp"
#include "vkgpt/core/units.hpp"
#include "vkgpt/vk/kernel_record.hpp"
#include "vkgpt/vk/loader_info.hpp"

#include "cli/command/command_line.hpp"
#include "cli/commands.hpp"
#include "cli/device/device_report.hpp"
#include "cli/device/record_report.hpp"
#include "cli/device/system_report.hpp"
#include "cli/run_options.hpp"

namespace vkgpt::cli {
namespace {

constexpr std::string_view kValidationLayer = "VK_LAYER_KHRONOS_validation";

void append(SystemReport& report, SystemReport more) {
  std::ranges::move(more.lines, std::back_inserter(report.lines));
  std::ranges::move(more.advice, std::back_inserter(report.advice));
}

SystemReport describe_loader() {
  const vk::LoaderInfo loader = vk::query_loader();
  SystemReport report;
  if (loader.version.empty()) {
    report.lines.push_back({"Vulkan loader", "none"});
    report.advice.emplace_back(
        "Vulkan: no loader (libvulkan.so.1) was found: install the package libvulkan1");
    return report;
  }
  report.lines.push_back({"Vulkan loader", loader.version});
  std::string layers;
  for (const vk::LoaderInfo::Layer& layer : loader.layers) {
    layers += vkgpt::format("{}{} {}", layers.empty() ? "" : ", ", layer.name, layer.version);
  }
  report.lines.push_back({"layers", layers.empty() ? "none" : layers});
  if (!std::ranges::contains(loader.layers, kValidationLayer, &vk::LoaderInfo::Layer::name)) {
    report.advice.emplace_back(
        "validation: the layer is not there; --validation needs the package vulkan-validationlayers");
  }
  return report;
}

void describe_device(const vk::PhysicalDevice& device, const std::string& choice, SystemReport& report) {
  const vk::DeviceCaps& caps = device.caps;
  report.lines.push_back({"device", caps.name});
  report.lines.push_back({"  choice", choice});
  if (caps.uuid.empty()) return;  // nothing more is known of a device below Vulkan 1.3
  report.lines.push_back({"  driver", caps.driver});
  report.lines.push_back(
      {"  ids", vkgpt::format("vendor {:#06x}, device {:#06x}", caps.vendor_id, caps.device_id)});
  report.lines.push_back(
      {"  memory",
       vkgpt::format("{}, {} free, {} in one allocation", format_bytes(caps.heap_bytes),
                     caps.heap_budget_bytes == 0 ? "unknown" : format_bytes(caps.heap_budget_bytes),
                     format_bytes(caps.max_allocation_bytes))});
  report.lines.push_back(
      {"  has", vkgpt::format("subgroups of {}{}{}{}{}{}", caps.subgroup_size,
                              caps.storage_16bit ? ", 16-bit storage" : "", caps.shader_f16 ? ", f16" : "",
                              caps.shader_bf16 ? ", bf16" : "",
                              caps.cooperative_matrices.empty() ? "" : ", KHR matrices",
                              caps.cooperative_matrix2 ? ", NV matrices" : "")});
  if (!device.rejection.empty()) return;
  const vk::KernelRecord record = vk::read_kernel_record(vk::default_cache_dir(), caps);
  report.lines.push_back({"  kernels", record_text(record)});
  std::ranges::move(record_advice(record, caps.name), std::back_inserter(report.advice));
}

/// Devices, as far as the drivers let us ask.
SystemReport describe_devices(const RunOptions& options) {
  SystemReport report;
  try {
    const vk::Instance instance(vk::parse_validation_mode(options.validation));
    std::vector<vk::PhysicalDevice> devices = vk::enumerate_devices(instance);
    for (vk::PhysicalDevice& device : devices) {
      if (device.rejection.empty()) vk::query_matrices(device);
    }
    const bool any_usable =
        std::ranges::any_of(devices, [](const auto& device) { return device.rejection.empty(); });
    const vk::PhysicalDevice* const chosen =
        any_usable || devices.empty() ? &vk::select_device(devices, options.device) : nullptr;
    const std::vector<std::string> reasons = choice_reasons(devices, chosen, options.device);
    for (std::size_t i = 0; i < devices.size(); ++i) describe_device(devices[i], reasons[i], report);
    if (chosen == nullptr) {
      report.advice.emplace_back("no device can be used: a driver with Vulkan 1.3 is needed");
    } else if (chosen->caps.is_cpu()) {
      report.advice.emplace_back(
          "the device is the CPU: with a GPU in the machine, install its driver (mesa-vulkan-drivers, "
          "nvidia-driver)");
    }
    instance.check_messages();
  } catch (const Error& error) {
    report.lines.push_back({"devices", message_line(error.what())});
    report.advice.emplace_back(vkgpt::format("devices: {}", message_line(error.what())));
  }
  return report;
}

void print_json(const SystemReport& report) {
  nlohmann::ordered_json lines = nlohmann::ordered_json::array();
  for (const ReportLine& line : report.lines) lines.push_back({{"name", line.name}, {"text", line.text}});
  const nlohmann::ordered_json record = {{"report", lines}, {"advice", report.advice}};
  std::print("{}\n", record.dump(2, ' ', false, nlohmann::ordered_json::error_handler_t::replace));
}

}  // namespace

int run_doctor(std::span<const std::string> args) {
  RunOptions options;
  CommandLine command(
      "doctor",
      "Describes program, system, drivers and devices for a bug report, and says what looks wrong. "
      "Nothing in it tells whose they are.");
  command.add(options);
  if (!command.parse(args)) return 0;
  SystemReport report = describe_system();
  append(report, describe_loader());
  append(report, describe_devices(options));
  append(report, describe_cache(vk::default_cache_dir()));
  if (options.json) {
    print_json(report);
    return 0;
  }
  for (const ReportLine& line : report.lines) std::print("{:<15} {}\n", line.name, message_line(line.text));
  std::print("\n{}\n", report.advice.empty() ? "nothing looks wrong" : "what to look at:");
  for (const std::string& advice : report.advice) std::print("- {}\n", message_line(advice));
  return 0;
}

}  // namespace vkgpt::cli
