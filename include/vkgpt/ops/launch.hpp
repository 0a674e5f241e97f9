#pragma once

#include <cstdint>
#include <initializer_list>
#include <string>
#include <vector>

#include "vkgpt/plan/dispatch.hpp"
#include "vkgpt/plan/plan_builder.hpp"
#include "vkgpt/vk/device_caps.hpp"

namespace vkgpt::ops {

/// Rows [first, first + count) of a tensor.
struct Slice {
  std::int64_t first = 0;
  std::int64_t count = 0;
};

/// Rows after which a run may start: 64, so that even one 32-bit word a row begins on 256 bytes; 128 where
/// one of the tensors has 16-bit elements.
constexpr std::int64_t slice_granule(bool has_16bit) {
  return has_16bit ? 128 : 64;
}

/// Bytes that one binding may cover: the device's limit, and no more than 32-bit element indices reach.
std::int64_t max_binding_bytes(const vk::DeviceCaps& caps);

/// Cuts `rows` rows of `row_bytes` bytes into runs that one descriptor can cover
/// (`max_binding_bytes`) and that start at multiples of `granule` rows. A device that cannot bind that
/// many: `plan::TooLarge`.
std::vector<Slice> row_slices(const vk::DeviceCaps& caps, std::int64_t rows, std::int64_t row_bytes,
                              std::int64_t granule = slice_granule(false));

/// The same for flat tensors of at most 32-bit elements, and no run across a cut of one of them (see
/// `plan::TensorInfo::cuts`). All tensors have as many elements as the first.
std::vector<Slice> element_slices(const plan::PlanBuilder& builder,
                                  std::initializer_list<plan::Tensor> tensors,
                                  std::int64_t granule = slice_granule(false));

/// Neighbours of an f32 tensor of `count` elements that a kernel reads at a time, the macro WIDTH of
/// shaders/include/wide_f32.glsl: 4 on GPUs, 2 on CPU drivers that have 64-bit words, 1 where the tensor is
/// no multiple of them.
std::int64_t f32_width(const vk::DeviceCaps& caps, std::int64_t count);

/// Whether one of them has 16-bit elements.
bool any_16bit(std::initializer_list<plan::Tensor> tensors);

/// `whole` narrowed to a slice of its elements.
plan::Binding elements(plan::Binding whole, Slice slice, DType dtype = DType::kF32);

/// `whole`, which covers a tensor seen as rows of `row_elements`, narrowed to a slice of its rows.
plan::Binding matrix_rows(plan::Binding whole, std::int64_t row_elements, Slice slice,
                          DType dtype = DType::kF32);

/// Appends a binding that only some variants of a kernel have, and a macro `name` with its number:
/// `#ifdef NAME layout(binding = NAME) ...`.
void add_binding(plan::Dispatch& dispatch, std::string name, plan::Binding binding);

/// Subgroups of a workgroup that works together: one on a CPU driver, where a barrier is a costly switch of
/// coroutines, else what makes 256 invocations or the device's limit.
std::uint32_t subgroups_per_workgroup(const vk::DeviceCaps& caps);

/// Registers available to kernels that hold many values in each invocation.
struct RegisterBudget {
  std::uint32_t subgroup = 0;       // the least size of a subgroup
  std::uint32_t required_size = 0;  // to be required of the driver, or 0
  std::uint32_t registers = 0;      // 32-bit ones of an invocation
};

/// A hardware thread of Intel's has the same 4 KiB of registers (8 KiB from Xe2 on) for a subgroup of any
/// size: there the smallest subgroups leave an invocation the most, half of what it has elsewhere.
RegisterBudget register_budget(const vk::DeviceCaps& caps);

/// Operations that one dispatch may hold, so that it stays far below a watchdog's patience on the slowest
/// devices of the kind.
std::int64_t max_dispatch_flops(const vk::DeviceCaps& caps);

/// Blocks into which the first stage of a reduction cuts a tensor (a multiple of 64), and the elements of
/// each of `blocks` equal ones (the last may be short or empty). They depend on the device and the shape
/// only.
std::int64_t reduction_blocks(const vk::DeviceCaps& caps);
std::int64_t reduction_block_size(std::int64_t elements, std::int64_t blocks);

/// The dispatches below have kernel and groups set; bindings, push constants and cost are the caller's.

/// One invocation for every `items` of `count` elements (shaders/include/elementwise.glsl); `items` = 0 takes
/// what suits memory-bound work. Specialization constants: workgroup size, items.
plan::Dispatch elementwise(const vk::DeviceCaps& caps, std::string stem, std::int64_t count,
                           plan::Macros macros = {}, std::uint32_t items = 0);

/// One subgroup for each of `rows` (shaders/include/subgroup_rows.glsl). Specialization constant: workgroup
/// size.
plan::Dispatch subgroup_per_row(const vk::DeviceCaps& caps, std::string stem, std::int64_t rows,
                                plan::Macros macros = {});

/// `groups` workgroups of `subgroups` full subgroups (shaders/include/workgroup.glsl). Specialization
/// constants: workgroup size, subgroups.
plan::Dispatch workgroups(const vk::DeviceCaps& caps, std::string stem, std::int64_t groups,
                          std::uint32_t subgroups, plan::Macros macros = {});

/// `groups` workgroups of one full subgroup each, whose invocations do not work together. Specialization
/// constant: workgroup size.
plan::Dispatch lone_subgroups(const vk::DeviceCaps& caps, std::string stem, std::int64_t groups,
                              plan::Macros macros = {});

}  // namespace vkgpt::ops
