#include <algorithm>
#include <print>
#include <string>
#include <vector>

#include <nlohmann/json.hpp>

#include "vkgpt/core/error.hpp"
#include "vkgpt/core/file.hpp"
#include "vkgpt/vk/device_profile.hpp"
#include "vkgpt/vk/kernel_record.hpp"

#include "cli/command/command_line.hpp"
#include "cli/commands.hpp"
#include "cli/device/device_report.hpp"
#include "cli/run_options.hpp"

namespace vkgpt::cli {
namespace {

struct DevicesOptions {
  std::string save;

  template <typename Visitor, typename Self>
  static void visit_fields(Visitor&& visit, Self& self) {
    visit(
        FieldInfo{.name = "save",
                  .group = "Devices",
                  .help = "File to write the chosen device's profile to, for 'vkgpt plan --device_profile'"},
        self.save);
  }
};

}  // namespace

int run_devices(std::span<const std::string> args) {
  RunOptions options;
  DevicesOptions devices_options;
  CommandLine command("devices",
                      "Lists the Vulkan devices, which one would be used, and why not the others.");
  command.add(devices_options).add(options);
  if (!command.parse(args)) return 0;

  const vk::Instance instance(vk::parse_validation_mode(options.validation));
  std::vector<vk::PhysicalDevice> devices = vk::enumerate_devices(instance);
  KernelRecords records;
  for (auto& device : devices) {
    if (!device.rejection.empty()) continue;
    vk::query_matrices(device);
    device.kernels = context_options(options).kernels;
    const vk::KernelRecord& record = records[device.caps.uuid] =
        vk::read_kernel_record(vk::default_cache_dir(), device.caps);
    record.apply_to(device.kernels);
  }
  const bool any_usable =
      std::ranges::any_of(devices, [](const auto& device) { return device.rejection.empty(); });
  // Where there are devices but none can be used, the list itself says why.
  const vk::PhysicalDevice* chosen = nullptr;
  if (any_usable || devices.empty() || !options.device.empty()) {
    chosen = &vk::select_device(devices, options.device);
  }
  if (!devices_options.save.empty()) {
    if (chosen == nullptr) fail("no device can be used, so there is no profile to save");
    replace_file(devices_options.save, vk::device_profile(chosen->caps));
  }
  if (options.json) {
    std::print("{}\n", devices_json(devices, chosen, options.device, records)
                           .dump(2, ' ', false, nlohmann::ordered_json::error_handler_t::replace));
  } else {
    std::print("{}", device_table(devices, chosen, options.device, records));
  }
  instance.check_messages();
  return 0;
}

}  // namespace vkgpt::cli
