#include "vkgpt/ops/exchange.hpp"

#include <utility>
#include <vector>

#include "vkgpt/core/check.hpp"
#include "vkgpt/ops/launch.hpp"

namespace vkgpt::ops {

void exchange_pack(plan::PlanBuilder& builder, const plan::Tensor& values, const plan::Tensor& words,
                   Wire wire) {
  const std::int64_t n = values.shape.numel();
  const std::int64_t ratio = wire == Wire::kBF16 ? 2 : 1;
  VKGPT_CHECK(dtype_size(values.dtype) == 4 && dtype_size(words.dtype) == 4 && n % ratio == 0 &&
                  words.shape.numel() == n / ratio,
              "{} in {}", values.shape.to_string(), words.shape.to_string());
  const std::vector<Slice> slices =
      ratio == 1 ? element_slices(builder, {values, words}) : element_slices(builder, {values});
  for (const Slice slice : slices) {
    const Slice packed{slice.first / ratio, slice.count / ratio};
    plan::Dispatch dispatch = elementwise(builder.caps(), "exchange_pack", packed.count,
                                          plan::Macros{}.flag("BF16", wire == Wire::kBF16));
    dispatch.bindings = {elements(plan::read(values), slice), elements(plan::write(words), packed)};
    dispatch.push = plan::PushWords{}.u32(packed.count);
    dispatch.cost.flops = wire == Wire::kBF16 ? 5 * slice.count : 0;
    builder.dispatch(std::move(dispatch));
  }
}

void exchange_fold(plan::PlanBuilder& builder, const plan::Tensor& words, const plan::Tensor& control,
                   const plan::Tensor& sum, Wire wire) {
  const std::int64_t n = sum.shape.numel();
  const std::int64_t count = wire_words(n, wire);
  VKGPT_CHECK(words.shape.rank() == 2 && words.shape[1] == count && dtype_size(words.dtype) == 4 &&
                  (wire == Wire::kF32 || n % 2 == 0),
              "{} for sums {}", words.shape.to_string(), sum.shape.to_string());
  VKGPT_CHECK(control.shape == Shape{2} && control.dtype == DType::kU32 && sum.dtype == DType::kF32,
              "control {}", control.shape.to_string());
  plan::Dispatch dispatch =
      elementwise(builder.caps(), "exchange_fold", count, plan::Macros{}.flag("BF16", wire == Wire::kBF16));
  dispatch.bindings = {plan::read(words), plan::read(control), plan::read_write(sum)};
  dispatch.push = plan::PushWords{}.u32(count);
  dispatch.cost.flops = words.shape[0] * n;
  builder.dispatch(std::move(dispatch));
}

}  // namespace vkgpt::ops
