#include "vkgpt/ops/optimizer/optimizer.hpp"

#include <utility>

#include "vkgpt/core/check.hpp"
#include "vkgpt/ops/step_params.hpp"

#include "ops/grid.hpp"
#include "ops/optimizer/optimizer_arenas.hpp"

namespace vkgpt::ops {
namespace {

constexpr std::int64_t kBlock = 64;  // elements to a bit
constexpr std::int64_t kWordBits = 32;

}  // namespace

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
    VKGPT_CHECK(range.first >= 0 && range.first % kBlock == 0 && range.count > 0 &&
                    range.first + range.count <= elements,
                "range {}+{} of {} elements", range.first, range.count, elements);
    for (std::int64_t block = range.first / kBlock; block * kBlock < range.first + range.count; ++block) {
      words[block / kWordBits] |= 1U << (block % kWordBits);
    }
  }
  return words;
}

void optimizer_adamw(plan::PlanBuilder& builder, const OptimizerAdamW& args, const AdamW& constants) {
  const std::int64_t n = args.weights.shape.numel();
  const plan::Tensor* const arenas[] = {&args.weights, &args.gradients, &args.m, &args.v};
  check_optimizer(n, arenas, args.decay, args.active, args.norm);

  const plan::Tensor& copy = args.copy.value_or(args.weights);
  VKGPT_CHECK(copy.shape == args.weights.shape && (!args.copy || dtype_size(copy.dtype) == 2), "copy {} {}",
              dtype_name(copy.dtype), copy.shape.to_string());
  for (const Slice slice : element_slices(builder.caps(), n, slice_granule(any_16bit({copy})))) {
    const std::uint32_t width = f32_width(builder.caps(), slice.count);
    plan::Dispatch dispatch = elementwise(builder.caps(), "optimizer_adamw", slice.count / width,
                                          plan::Macros{}.value("WIDTH", width));
    dispatch.bindings = {elements(plan::read_write(args.weights), slice),
                         elements(plan::read(args.gradients), slice),
                         elements(plan::read_write(args.m), slice),
                         elements(plan::read_write(args.v), slice),
                         plan::read(args.decay),
                         plan::read(args.norm),
                         plan::read(step_params(builder))};
    if (args.active) {
      add_binding(dispatch, "ACTIVE", plan::read(*args.active));
    }
    if (args.copy) {
      dispatch.kernel.macros.dtype("DTYPE", copy.dtype);
      add_binding(dispatch, "COPY", elements(plan::write(copy), slice, copy.dtype));
    }
    dispatch.push = plan::PushWords{}
                        .u32(slice.count, slice.first)
                        .f32(constants.beta1, 1.0 - constants.beta1, constants.beta2, 1.0 - constants.beta2,
                             constants.eps, constants.weight_decay);
    dispatch.cost.flops = 16 * slice.count;
    builder.dispatch(std::move(dispatch));
  }
}

}  // namespace vkgpt::ops
