#include "vkgpt/check/op_table.hpp"

#include <algorithm>
#include <iterator>
#include <string>
#include <utility>

#include "vkgpt/core/format.hpp"
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

void append(std::vector<Case>& cases, std::vector<Case> more) {
  cases.insert(cases.end(), std::move_iterator(more.begin()), std::move_iterator(more.end()));
}

namespace {

/// "f32 gelu 4099".
std::string variant(DType dtype, const std::string& name, const std::string& size) {
  return vkgpt::format("{}{}{} {}", dtype_name(dtype), name.empty() ? "" : " ", name, size);
}

}  // namespace

std::vector<Case> elementwise_cases(const std::string& name,
                                    const std::function<void(Trial&, DType dtype, std::int64_t n)>& build) {
  std::vector<Case> cases;
  for (const DType dtype : kFloatTypes) {
    for (const std::int64_t n : {1, 3, 64, 1000, 4099}) {
      cases.push_back({.variant = variant(dtype, name, std::to_string(n)),
                       .dtype = dtype,
                       .quick = n == 4099,
                       .devices = folded_devices(4096),
                       .build = [=](Trial& t) { build(t, dtype, n); }});
    }
    if (dtype != DType::kF32) continue;
    cases.back().timed = [=](Trial& t, const Workload& work) {
      const std::int64_t n = work.rows * work.C;
      t.pass(variant(DType::kF32, name, std::to_string(n)));
      build(t, DType::kF32, n);
    };
  }
  return cases;
}

std::vector<Case> rowwise_cases(
    const std::string& name,
    const std::function<void(Trial&, DType dtype, std::int64_t rows, std::int64_t C)>& build) {
  const auto text = [](std::int64_t rows, std::int64_t C) { return vkgpt::format("{}x{}", rows, C); };
  std::vector<Case> cases;
  for (const DType dtype : kFloatTypes) {
    for (const auto& [rows, C] : {std::pair{1, 1}, {5, 3}, {130, 64}, {9, 257}, {1, 768}, {67, 101}}) {
      cases.push_back({.variant = variant(dtype, name, text(rows, C)),
                       .dtype = dtype,
                       .quick = C == 101,
                       .devices = folded_devices(static_cast<std::uint64_t>(128 * C) * sizeof(float)),
                       .build = [=](Trial& t) { build(t, dtype, rows, C); }});
    }
    if (dtype != DType::kF32) continue;
    cases.back().timed = [=](Trial& t, const Workload& work) {
      t.pass(variant(DType::kF32, name, text(work.rows, work.C)));
      build(t, DType::kF32, work.rows, work.C);
    };
  }
  return cases;
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
