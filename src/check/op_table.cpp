#include "vkgpt/check/op_table.hpp"

#include <algorithm>

#include "vkgpt/vk/subgroup_size.hpp"

namespace vkgpt::check {

#define VKGPT_OP(op) std::vector<Case> op##_cases();
#include "check/ops.inc"
#undef VKGPT_OP

vk::Target target_of(vk::Target own, std::string_view op, const Device& device) {
  auto& [caps, kernels] = own;
  if (device.backend) (op == "attention" ? kernels.attention : kernels.matmul) = device.backend;
  if (!device.measured.empty()) kernels.measured = device.measured;
  if (device.is_gpu) caps.type = vk::DeviceType::kDiscrete;
  if (device.vendor_id != 0) caps.vendor_id = device.vendor_id;
  if (device.max_binding_bytes != 0) caps.max_storage_buffer_range = device.max_binding_bytes;
  if (device.max_groups != 0) caps.max_workgroup_count[0] = device.max_groups;
  caps.shader_int64 = caps.shader_int64 && device.has_int64;
  if (!device.has_subgroup_size_control) {
    caps.subgroup_size_control = false;
    if (vk::knows_subgroup_size(caps)) caps.min_subgroup_size = std::max(1U, caps.min_subgroup_size / 2);
  }
  return own;
}

std::vector<Device> sliced_devices(std::uint64_t sliced_bytes) {
  return {{}, {.name = "as a GPU", .is_gpu = true}, {.name = "sliced", .max_binding_bytes = sliced_bytes}};
}

std::vector<Device> folded_devices(std::uint64_t sliced_bytes) {
  std::vector<Device> devices = sliced_devices(sliced_bytes);
  devices.push_back({.name = "folded", .max_groups = 3});
  return devices;
}

std::span<const OpTable> op_tables() {
  static const std::vector<OpTable> tables = {
#define VKGPT_OP(op) {#op, op##_cases()},
#include "check/ops.inc"
#undef VKGPT_OP
  };
  return tables;
}

}  // namespace vkgpt::check
