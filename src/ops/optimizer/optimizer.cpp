#include "vkgpt/ops/optimizer/optimizer.hpp"

#include <utility>

#include "vkgpt/core/check.hpp"
#include "vkgpt/ops/step_params.hpp"

#include "ops/grid.hpp"
#include "ops/optimizer/optimizer_arenas.hpp"
#include "ops/work_slices.hpp"

namespace vkgpt::ops {

plan::Tensor decay_bits(plan::PlanBuilder& builder, std::int64_t elements, std::span<const Slice> decayed) {
  return builder.constant("decay_bits", {mask_words(elements)}, DType::kU32,
                          make_decay_bits(elements, decayed));
}

plan::Tensor active_bits(plan::PlanBuilder& builder, std::int64_t elements, std::span<const Slice> active) {
  return builder.constant("active_bits", {mask_words(elements)}, DType::kU32,
                          make_decay_bits(elements, active));
}

std::vector<std::uint32_t> make_decay_bits(std::int64_t elements, std::span<const Slice> decayed) {
  std::vector<std::uint32_t> words(mask_words(elements));
  for (const Slice range : decayed) {
    VKGPT_CHECK(range.first >= 0 && range.first % kMaskBlock == 0 && range.count > 0 &&
                    range.first + range.count <= elements,
                "range {}+{} of {} elements", range.first, range.count, elements);
    for (std::int64_t block = range.first / kMaskBlock; block * kMaskBlock < range.first + range.count;
         ++block) {
      words[block / kMaskWordBits] |= 1U << (block % kMaskWordBits);
    }
  }
  return words;
}

void elementwise_update(plan::PlanBuilder& builder, const OptimizerArenas& arenas,
                        const ElementwiseUpdate& update) {
  const std::int64_t n = arenas.weights.shape.numel();
  std::vector<const plan::Tensor*> flat = {&arenas.weights, &arenas.gradients, &arenas.m};
  if (arenas.v) flat.push_back(&*arenas.v);
  check_optimizer(n, flat, arenas.decay, arenas.active, arenas.norm);
  const plan::Tensor& copy = arenas.copy.value_or(arenas.weights);
  VKGPT_CHECK(copy.shape == arenas.weights.shape && (!arenas.copy || dtype_size(copy.dtype) == 2),
              "copy {} {}", dtype_name(copy.dtype), copy.shape.to_string());
  for (const Slice slice : work_slices(
           builder, {arenas.weights, arenas.gradients, arenas.m, arenas.v.value_or(arenas.m), copy})) {
    const std::int64_t width = update.is_wide ? f32_width(builder.caps(), slice.count) : 1;
    plan::Macros macros;
    if (update.is_wide) macros.value("WIDTH", width);
    plan::Dispatch dispatch = elementwise(builder.caps(), update.stem, slice.count / width, macros);
    for (const plan::Tensor* t : flat) {
      const bool is_read = t == &arenas.gradients;
      dispatch.bindings.push_back(elements(is_read ? plan::read(*t) : plan::read_write(*t), slice));
    }
    for (const plan::Tensor& t : {arenas.decay, arenas.norm, step_params(builder)}) {
      dispatch.bindings.push_back(plan::read(t));
    }
    if (arenas.active) add_binding(dispatch, "ACTIVE", plan::read(*arenas.active));
    if (arenas.copy) {
      dispatch.kernel.macros.dtype("DTYPE", copy.dtype);
      add_binding(dispatch, "COPY", elements(plan::write(copy), slice, copy.dtype));
    }
    plan::PushWords push = plan::PushWords{}.u32(slice.count, mask_bit(slice.first));
    for (const double constant : update.constants) push.f32(constant);
    dispatch.push = push;
    dispatch.cost.flops = update.flops * slice.count;
    builder.dispatch(std::move(dispatch));
  }
}

void optimizer_adamw(plan::PlanBuilder& builder, const OptimizerArenas& arenas, const AdamW& constants) {
  VKGPT_CHECK(arenas.v.has_value(), "AdamW has a second moment");
  const auto& [beta1, beta2, eps, weight_decay] = constants;
  elementwise_update(builder, arenas,
                     {.stem = "optimizer_adamw",
                      .constants = {beta1, 1.0 - beta1, beta2, 1.0 - beta2, eps, weight_decay},
                      .flops = 16,
                      .is_wide = true});
}

}  // namespace vkgpt::ops
