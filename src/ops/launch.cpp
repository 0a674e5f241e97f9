#include "vkgpt/ops/launch.hpp"

#include <algorithm>
#include <utility>

#include "vkgpt/core/check.hpp"

#include "ops/grid.hpp"

namespace vkgpt::ops {
namespace {

constexpr std::uint64_t kAddressable = 1ull << 32;  // 32-bit element indices, with room to overshoot

std::uint32_t required_subgroup(const vk::DeviceCaps& caps) {
  return caps.subgroup_size_control ? caps.subgroup_size : 0;
}

std::uint64_t to_unsigned(std::int64_t value) {
  VKGPT_CHECK(value > 0, "{} is not positive", value);
  return static_cast<std::uint64_t>(value);
}

}  // namespace

std::vector<Slice> row_slices(const vk::DeviceCaps& caps, std::int64_t rows, std::uint64_t row_bytes,
                              std::int64_t granule) {
  VKGPT_CHECK(rows > 0 && row_bytes > 0, "{} rows of {} bytes", rows, row_bytes);
  const auto fitting =
      static_cast<std::int64_t>(std::min(caps.max_storage_buffer_range, kAddressable) / row_bytes);
  if (rows <= fitting) return {{0, rows}};
  const std::int64_t step = fitting / granule * granule;
  VKGPT_CHECK(step > 0, "{} rows of {} bytes do not fit a binding of {} bytes", granule, row_bytes,
              caps.max_storage_buffer_range);
  std::vector<Slice> slices;
  for (std::int64_t first = 0; first < rows; first += step) {
    slices.push_back({first, std::min(step, rows - first)});
  }
  return slices;
}

std::vector<Slice> element_slices(const vk::DeviceCaps& caps, std::int64_t elements, std::int64_t granule) {
  return row_slices(caps, elements, sizeof(std::uint32_t), granule);
}

vk::Macro dtype_macro(DType dtype, std::string name) {
  switch (dtype) {
    case DType::kF32:
      return {std::move(name), "0"};
    case DType::kF16:
      return {std::move(name), "1"};
    case DType::kBF16:
      return {std::move(name), "2"};
    default:
      VKGPT_CHECK(false, "{} is no element type of a kernel", dtype_name(dtype));
  }
}

vk::Macro dtype_macro(const vk::DeviceCaps& caps, const plan::Tensor& t, std::string name) {
  VKGPT_CHECK(caps.storage_16bit || dtype_size(t.dtype) == 4, "{} has no 16-bit storage", caps.name);
  return dtype_macro(t.dtype, std::move(name));
}

std::uint32_t f32_width(const vk::DeviceCaps& caps, std::int64_t count) {
  const std::uint32_t width = !caps.is_cpu() ? 4 : caps.shader_int64 ? 2 : 1;
  return count % width == 0 ? width : 1;
}

bool any_16bit(std::initializer_list<plan::Tensor> tensors) {
  return std::ranges::any_of(tensors, [](const plan::Tensor& t) { return dtype_size(t.dtype) == 2; });
}

plan::Binding elements(plan::Binding whole, Slice slice, DType dtype) {
  return matrix_rows(whole, 1, slice, dtype);
}

plan::Binding matrix_rows(plan::Binding whole, std::int64_t row_elements, Slice slice, DType dtype) {
  const std::uint64_t row_bytes = to_unsigned(row_elements) * dtype_size(dtype);
  const std::uint64_t offset = static_cast<std::uint64_t>(slice.first) * row_bytes;
  const std::uint64_t size = to_unsigned(slice.count) * row_bytes;
  VKGPT_CHECK(offset + size <= whole.size, "rows {}+{} of {} elements exceed {} bytes", slice.first,
              slice.count, row_elements, whole.size);
  whole.offset += offset;
  whole.size = size;
  return whole;
}

void add_binding(plan::Dispatch& dispatch, std::string name, plan::Binding binding) {
  dispatch.kernel.macros.push_back({std::move(name), std::to_string(dispatch.bindings.size())});
  dispatch.bindings.push_back(binding);
}

std::uint32_t subgroups_per_workgroup(const vk::DeviceCaps& caps) {
  return std::max<std::uint32_t>(1, elementwise_workgroup(caps) / caps.subgroup_size);
}

RegisterBudget register_budget(const vk::DeviceCaps& caps) {
  constexpr std::uint32_t kIntel = 0x8086;
  const bool is_intel = caps.vendor_id == kIntel;
  const bool takes_least = is_intel || !caps.subgroup_size_control;
  const std::uint32_t subgroup = takes_least ? caps.min_subgroup_size : caps.subgroup_size;
  return {.subgroup = subgroup,
          .required_size = caps.subgroup_size_control ? subgroup : 0,
          .registers = is_intel ? 128U : 256U};
}

std::int64_t max_dispatch_flops(const vk::DeviceCaps& caps) {
  if (caps.is_cpu()) return 4'000'000'000;
  return caps.type == vk::DeviceType::kDiscrete ? 200'000'000'000 : 20'000'000'000;
}

std::int64_t reduction_blocks(const vk::DeviceCaps& caps) {
  return caps.is_cpu() ? 64 : 1024;
}

std::uint64_t reduction_block_size(std::int64_t elements, std::int64_t blocks) {
  return ceil_div(ceil_div(to_unsigned(elements), to_unsigned(blocks)), 64) * 64;
}

plan::Dispatch elementwise(const vk::DeviceCaps& caps, std::string stem, std::int64_t count,
                           std::vector<vk::Macro> macros, std::uint32_t items) {
  // A workgroup of a CPU driver is one thread's piece of work and costs about as much as 30 elements.
  if (items == 0) items = caps.is_cpu() ? 16 : 4;
  const std::uint32_t size = elementwise_workgroup(caps);
  return {.kernel = {.stem = std::move(stem), .macros = std::move(macros), .spec_constants = {size, items}},
          .bindings = {},
          .groups = fold_grid(caps, ceil_div(to_unsigned(count), std::uint64_t{size} * items))};
}

plan::Dispatch subgroup_per_row(const vk::DeviceCaps& caps, std::string stem, std::int64_t rows,
                                std::vector<vk::Macro> macros) {
  const std::uint32_t subgroups = std::min<std::uint32_t>(4, subgroups_per_workgroup(caps));
  return {.kernel = {.stem = std::move(stem),
                     .macros = std::move(macros),
                     .spec_constants = {subgroups * caps.subgroup_size},
                     .subgroup_size = required_subgroup(caps)},
          .bindings = {},
          .groups = fold_grid(caps, ceil_div(to_unsigned(rows), subgroups))};
}

plan::Dispatch workgroups(const vk::DeviceCaps& caps, std::string stem, std::int64_t groups,
                          std::uint32_t subgroups, std::vector<vk::Macro> macros) {
  VKGPT_CHECK(subgroups >= 1 && subgroups <= subgroups_per_workgroup(caps), "{} subgroups", subgroups);
  return {.kernel = {.stem = std::move(stem),
                     .macros = std::move(macros),
                     .spec_constants = {subgroups * caps.subgroup_size, subgroups},
                     .subgroup_size = required_subgroup(caps)},
          .bindings = {},
          .groups = fold_grid(caps, to_unsigned(groups))};
}

}  // namespace vkgpt::ops
