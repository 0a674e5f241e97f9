#include "vkgpt/ops/preference_loss.hpp"

#include <utility>

#include "vkgpt/core/check.hpp"
#include "vkgpt/ops/launch.hpp"
#include "vkgpt/plan/limits.hpp"

namespace vkgpt::ops {
namespace {

using plan::read;
using plan::read_write;
using plan::write;

void check_shapes(const PreferenceLoss& args) {
  const std::int64_t P = args.pairs.shape[0];
  const std::int64_t rows = args.losses.shape.numel();
  VKGPT_CHECK(args.pairs.shape == (Shape{P, 4}) && args.pairs.dtype == DType::kI32, "pairs {}",
              args.pairs.shape.to_string());
  VKGPT_CHECK(args.reference.shape == (Shape{P, 2}) && args.scores.shape == (Shape{P, 2}),
              "reference {}, scores {} of {} pairs", args.reference.shape.to_string(),
              args.scores.shape.to_string(), P);
  VKGPT_CHECK(args.pair_losses.shape == Shape{P} && args.counted.shape == Shape{P} &&
                  args.counted.dtype == DType::kI32,
              "losses {} of {} pairs", args.pair_losses.shape.to_string(), P);
  VKGPT_CHECK(args.sums.shape == Shape{4}, "sums {}", args.sums.shape.to_string());
  VKGPT_CHECK(!args.weights || args.weights->shape.numel() == rows, "weights {}", rows);
  VKGPT_CHECK(args.beta > 0 && args.label_smoothing >= 0 && args.label_smoothing <= 0.5,
              "beta {}, smoothing {}", args.beta, args.label_smoothing);
  plan::check_fits(rows < (1 << 24), "{} tokens in a batch, at most 16777215 can be summed", rows);
}

}  // namespace

void preference_loss(plan::PlanBuilder& builder, const PreferenceLoss& args) {
  check_shapes(args);
  const vk::DeviceCaps& caps = builder.caps();
  plan::Dispatch dispatch = workgroups(caps, "preference_loss", 1, subgroups_per_workgroup(caps));
  dispatch.bindings = {read(args.losses),       read(args.pairs),    read(args.reference), write(args.scores),
                       write(args.pair_losses), write(args.counted), read_write(args.sums)};
  if (args.weights) add_binding(dispatch, "WEIGHTS", write(*args.weights));
  dispatch.push = plan::PushWords{}.u32(args.pairs.shape[0]).f32(args.beta, args.label_smoothing);
  dispatch.cost.flops = args.losses.shape.numel();
  builder.dispatch(std::move(dispatch));
}

plan::Tensor preference_sums(plan::PlanBuilder& builder, std::string_view name) {
  return builder.persistent(name, {4}, plan::Role::kStatistics, DType::kF32);
}

}  // namespace vkgpt::ops
