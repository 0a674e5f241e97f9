#include "vkgpt/ops/activation.hpp"

#include <utility>
#include <vector>

#include "vkgpt/core/check.hpp"
#include "vkgpt/ops/launch.hpp"

#include "ops/work_slices.hpp"

namespace vkgpt::ops {
namespace {

// Roughly, with an exponential and a division counted as ten each.
struct Flops {
  std::int64_t forward;
  std::int64_t backward;
};
constexpr Flops activation_flops(Activation kind) {
  return kind == Activation::kGelu      ? Flops{26, 36}
         : kind == Activation::kGeluErf ? Flops{48, 50}
                                        : Flops{3, 4};
}
constexpr Flops gate_flops(Gate gate) {
  return gate == Gate::kSilu ? Flops{24, 30} : Flops{27, 64};
}

plan::Macros activation_macros(Activation kind, const plan::Tensor& x) {
  return plan::Macros{}.dtype("DTYPE", x.dtype).value("ACTIVATION", kind);
}

plan::Macros gate_macros(Gate gate, const plan::Tensor& x) {
  return plan::Macros{}.dtype("DTYPE", x.dtype).value("GATE", gate);
}

/// Rows of [gate | up] beside rows of F.
struct SwigluShape {
  std::int64_t rows;
  std::int64_t F;
};

SwigluShape swiglu_shape(const plan::Tensor& wide, const plan::Tensor& narrow) {
  const SwigluShape shape{narrow.shape.rows(), narrow.shape.back()};
  VKGPT_CHECK(
      wide.shape.rows() == shape.rows && wide.shape.back() == 2 * shape.F && wide.dtype == narrow.dtype,
      "SwiGLU of {} beside {}", wide.shape.to_string(), narrow.shape.to_string());
  return shape;
}

std::vector<Slice> swiglu_slices(const vk::DeviceCaps& caps, const SwigluShape& shape, DType dtype) {
  const std::int64_t row_bytes = 2 * shape.F * dtype_size(dtype);
  return work_rows(caps, shape.rows, row_bytes, slice_granule(dtype_size(dtype) == 2));
}

plan::PushWords swiglu_push(const SwigluShape& shape, Slice slice) {
  return plan::PushWords{}.u32(slice.count, shape.F);
}

}  // namespace

void activation_forward(plan::PlanBuilder& builder, Activation kind, const plan::Tensor& x,
                        const plan::Tensor& y) {
  VKGPT_CHECK(x.shape == y.shape && x.dtype == y.dtype, "activation of {} -> {}", x.shape.to_string(),
              y.shape.to_string());
  const plan::Macros macros = activation_macros(kind, x);
  for (const Slice slice : work_slices(builder, {x})) {
    plan::Dispatch dispatch = elementwise(builder.caps(), "activation_forward", slice.count, macros);
    dispatch.bindings = {elements(plan::read(x), slice, x.dtype), elements(plan::write(y), slice, x.dtype)};
    dispatch.push = plan::PushWords{}.u32(slice.count);
    dispatch.cost.flops = activation_flops(kind).forward * slice.count;
    builder.dispatch(std::move(dispatch));
  }
}

void activation_backward(plan::PlanBuilder& builder, Activation kind, const plan::Tensor& dy,
                         const plan::Tensor& x, const plan::Tensor& dx) {
  VKGPT_CHECK(dy.shape == x.shape && dx.shape == x.shape && dy.dtype == x.dtype && dx.dtype == x.dtype,
              "activation backward of {}, {} -> {}", dy.shape.to_string(), x.shape.to_string(),
              dx.shape.to_string());
  const plan::Macros macros = activation_macros(kind, x);
  for (const Slice slice : work_slices(builder, {x})) {
    plan::Dispatch dispatch = elementwise(builder.caps(), "activation_backward", slice.count, macros);
    dispatch.bindings = {elements(plan::read(dy), slice, x.dtype), elements(plan::read(x), slice, x.dtype),
                         elements(plan::write(dx), slice, x.dtype)};
    dispatch.push = plan::PushWords{}.u32(slice.count);
    dispatch.cost.flops = activation_flops(kind).backward * slice.count;
    builder.dispatch(std::move(dispatch));
  }
}

void swiglu_forward(plan::PlanBuilder& builder, const plan::Tensor& x, const plan::Tensor& y, Gate gate) {
  const SwigluShape shape = swiglu_shape(x, y);
  for (const Slice slice : swiglu_slices(builder.caps(), shape, x.dtype)) {
    plan::Dispatch dispatch =
        subgroup_per_row(builder.caps(), "swiglu_forward", slice.count, gate_macros(gate, x));
    dispatch.bindings = {matrix_rows(plan::read(x), 2 * shape.F, slice, x.dtype),
                         matrix_rows(plan::write(y), shape.F, slice, x.dtype)};
    dispatch.push = swiglu_push(shape, slice);
    dispatch.cost.flops = gate_flops(gate).forward * slice.count * shape.F;
    builder.dispatch(std::move(dispatch));
  }
}

void swiglu_backward(plan::PlanBuilder& builder, const plan::Tensor& dy, const plan::Tensor& x,
                     const plan::Tensor& dx, Gate gate) {
  const SwigluShape shape = swiglu_shape(x, dy);
  VKGPT_CHECK(dx.shape == x.shape && dx.dtype == x.dtype, "SwiGLU backward of {} -> {}", x.shape.to_string(),
              dx.shape.to_string());
  for (const Slice slice : swiglu_slices(builder.caps(), shape, x.dtype)) {
    plan::Dispatch dispatch =
        subgroup_per_row(builder.caps(), "swiglu_backward", slice.count, gate_macros(gate, x));
    dispatch.bindings = {matrix_rows(plan::read(dy), shape.F, slice, x.dtype),
                         matrix_rows(plan::read(x), 2 * shape.F, slice, x.dtype),
                         matrix_rows(plan::write(dx), 2 * shape.F, slice, x.dtype)};
    dispatch.push = swiglu_push(shape, slice);
    dispatch.cost.flops = gate_flops(gate).backward * slice.count * shape.F;
    builder.dispatch(std::move(dispatch));
  }
}

}  // namespace vkgpt::ops
