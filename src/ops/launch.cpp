#include "vkgpt/ops/launch.hpp"

#include <algorithm>
#include <iterator>
#include <utility>

#include "vkgpt/core/check.hpp"
#include "vkgpt/plan/limits.hpp"
#include "vkgpt/vk/subgroup_size.hpp"

#include "ops/grid.hpp"

namespace vkgpt::ops {
namespace {

constexpr std::int64_t kAddressable = 1LL << 32;  // 32-bit element indices, with room to overshoot

std::uint32_t required_subgroup(const vk::DeviceCaps& caps) {
  return vk::knows_subgroup_size(caps) ? caps.subgroup_size : 0;
}

}  // namespace

std::int64_t max_binding_bytes(const vk::DeviceCaps& caps) {
  return std::min<std::int64_t>(static_cast<std::int64_t>(caps.max_storage_buffer_range), kAddressable);
}

std::vector<Slice> row_slices(const vk::DeviceCaps& caps, std::int64_t rows, std::int64_t row_bytes,
                              std::int64_t granule) {
  VKGPT_CHECK(rows > 0 && row_bytes > 0, "{} rows of {} bytes", rows, row_bytes);
  const std::int64_t fitting = max_binding_bytes(caps) / row_bytes;
  if (rows <= fitting) return {{0, rows}};
  const std::int64_t step = fitting / granule * granule;
  plan::check_fits(step > 0, "{} rows of {} bytes do not fit the {} that the device binds at once", granule,
                   row_bytes, caps.max_storage_buffer_range);
  std::vector<Slice> slices;
  for (std::int64_t first = 0; first < rows; first += step) {
    slices.push_back({first, std::min(step, rows - first)});
  }
  return slices;
}

std::vector<Slice> element_slices(const plan::PlanBuilder& builder,
                                  std::initializer_list<plan::Tensor> tensors, std::int64_t granule) {
  const std::int64_t elements = tensors.begin()->shape.numel();
  granule = std::max(granule, slice_granule(any_16bit(tensors)));
  std::vector<std::int64_t> ends = {elements};
  for (const plan::Tensor& t : tensors) std::ranges::copy(builder.cuts_of(t), std::back_inserter(ends));
  std::ranges::sort(ends);
  std::vector<Slice> slices;
  std::int64_t begin = 0;
  for (const std::int64_t end : ends) {
    if (end == begin) continue;
    for (const Slice slice : row_slices(builder.caps(), end - begin, 4, granule)) {
      slices.push_back({begin + slice.first, slice.count});
    }
    begin = end;
  }
  return slices;
}

std::int64_t f32_width(const vk::DeviceCaps& caps, std::int64_t count) {
  const std::int64_t width = !caps.is_cpu() ? 4 : caps.shader_int64 ? 2 : 1;
  return count % width == 0 ? width : 1;
}

bool any_16bit(std::initializer_list<plan::Tensor> tensors) {
  return std::ranges::any_of(tensors, [](const plan::Tensor& t) { return dtype_size(t.dtype) == 2; });
}

plan::Binding elements(plan::Binding whole, Slice slice, DType dtype) {
  return matrix_rows(whole, 1, slice, dtype);
}

plan::Binding matrix_rows(plan::Binding whole, std::int64_t row_elements, Slice slice, DType dtype) {
  VKGPT_CHECK(row_elements > 0 && slice.first >= 0 && slice.count > 0, "rows {}+{} of {} elements",
              slice.first, slice.count, row_elements);
  const std::int64_t row_bytes = row_elements * dtype_size(dtype);
  const std::uint64_t offset = slice.first * row_bytes;
  const std::uint64_t size = slice.count * row_bytes;
  VKGPT_CHECK(offset + size <= whole.size, "rows {}+{} of {} elements exceed {} bytes", slice.first,
              slice.count, row_elements, whole.size);
  whole.offset += offset;
  whole.size = size;
  return whole;
}

void add_binding(plan::Dispatch& dispatch, std::string name, plan::Binding binding) {
  dispatch.kernel.macros.value(std::move(name), dispatch.bindings.size());
  dispatch.bindings.push_back(binding);
}

std::uint32_t subgroups_per_workgroup(const vk::DeviceCaps& caps) {
  return std::max<std::uint32_t>(1, elementwise_workgroup(caps) / caps.subgroup_size);
}

RegisterBudget register_budget(const vk::DeviceCaps& caps) {
  const bool is_intel = caps.vendor_id == vk::kVendorIntel;
  const bool takes_least = is_intel || !vk::knows_subgroup_size(caps);
  const std::uint32_t subgroup = takes_least ? caps.min_subgroup_size : caps.subgroup_size;
  return {.subgroup = subgroup,
          .required_size = vk::knows_subgroup_size(caps) ? subgroup : 0,
          .registers = is_intel ? 128U : 256U};
}

std::int64_t max_dispatch_flops(const vk::DeviceCaps& caps) {
  const double flops = caps.is_cpu() ? 4e9 : caps.type == vk::DeviceType::kDiscrete ? 200e9 : 20e9;
  return static_cast<std::int64_t>(flops * caps.dispatch_share);
}

std::int64_t reduction_blocks(const vk::DeviceCaps& caps) {
  return caps.is_cpu() ? 64 : 1024;
}

std::int64_t reduction_block_size(std::int64_t elements, std::int64_t blocks) {
  return ceil_div(ceil_div(elements, blocks), 64) * 64;
}

plan::Dispatch elementwise(const vk::DeviceCaps& caps, std::string stem, std::int64_t count,
                           plan::Macros macros, std::uint32_t items) {
  // A workgroup of a CPU driver is one thread's piece of work and costs about as much as 30 elements.
  if (items == 0) items = caps.is_cpu() ? 16 : 4;
  const std::uint32_t size = elementwise_workgroup(caps);
  return {.kernel = {.stem = std::move(stem), .macros = std::move(macros), .spec_constants = {size, items}},
          .bindings = {},
          .groups = fold_grid(caps, ceil_div(count, std::int64_t{size} * items))};
}

plan::Dispatch subgroup_per_row(const vk::DeviceCaps& caps, std::string stem, std::int64_t rows,
                                plan::Macros macros) {
  const std::uint32_t subgroups = std::min<std::uint32_t>(4, subgroups_per_workgroup(caps));
  return {.kernel = {.stem = std::move(stem),
                     .macros = std::move(macros),
                     .spec_constants = {subgroups * caps.subgroup_size},
                     .subgroup_size = required_subgroup(caps)},
          .bindings = {},
          .groups = fold_grid(caps, ceil_div(rows, subgroups))};
}

plan::Dispatch workgroups(const vk::DeviceCaps& caps, std::string stem, std::int64_t groups,
                          std::uint32_t subgroups, plan::Macros macros) {
  VKGPT_CHECK(subgroups >= 1 && subgroups <= subgroups_per_workgroup(caps), "{} subgroups", subgroups);
  return {.kernel = {.stem = std::move(stem),
                     .macros = std::move(macros),
                     .spec_constants = {subgroups * caps.subgroup_size, subgroups},
                     .subgroup_size = required_subgroup(caps)},
          .bindings = {},
          .groups = fold_grid(caps, groups)};
}

plan::Dispatch lone_subgroups(const vk::DeviceCaps& caps, std::string stem, std::int64_t groups,
                              plan::Macros macros) {
  plan::Dispatch dispatch = workgroups(caps, std::move(stem), groups, 1, std::move(macros));
  dispatch.kernel.spec_constants = {caps.subgroup_size};
  return dispatch;
}

}  // namespace vkgpt::ops
