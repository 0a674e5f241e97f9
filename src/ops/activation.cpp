#include "vkgpt/ops/activation.hpp"

#include <utility>

#include "vkgpt/core/check.hpp"
#include "vkgpt/ops/launch.hpp"

namespace vkgpt::ops {
namespace {

// Roughly, with the exponential and the division counted as ten each.
constexpr std::uint64_t kForwardFlops = 26;
constexpr std::uint64_t kBackwardFlops = 36;

}  // namespace

void activation_forward(plan::PlanBuilder& builder, const plan::Tensor& x, const plan::Tensor& y) {
  VKGPT_CHECK(x.shape == y.shape, "gelu of {} -> {}", x.shape.to_string(), y.shape.to_string());
  for (const Slice slice : element_slices(builder.caps(), x.shape.numel())) {
    const auto count = static_cast<std::uint64_t>(slice.count);
    plan::Dispatch dispatch = elementwise(builder.caps(), "activation_forward", slice.count);
    dispatch.bindings = {elements(plan::read(x), slice), elements(plan::write(y), slice)};
    dispatch.push = plan::PushWords{}.u32(count);
    dispatch.cost.flops = kForwardFlops * count;
    builder.dispatch(std::move(dispatch));
  }
}

void activation_backward(plan::PlanBuilder& builder, const plan::Tensor& dy, const plan::Tensor& x,
                         const plan::Tensor& dx) {
  VKGPT_CHECK(dy.shape == x.shape && dx.shape == x.shape, "gelu backward of {}, {} -> {}",
              dy.shape.to_string(), x.shape.to_string(), dx.shape.to_string());
  for (const Slice slice : element_slices(builder.caps(), x.shape.numel())) {
    const auto count = static_cast<std::uint64_t>(slice.count);
    plan::Dispatch dispatch = elementwise(builder.caps(), "activation_backward", slice.count);
    dispatch.bindings = {elements(plan::read(dy), slice), elements(plan::read(x), slice),
                         elements(plan::write(dx), slice)};
    dispatch.push = plan::PushWords{}.u32(count);
    dispatch.cost.flops = kBackwardFlops * count;
    builder.dispatch(std::move(dispatch));
  }
}

}  // namespace vkgpt::ops
