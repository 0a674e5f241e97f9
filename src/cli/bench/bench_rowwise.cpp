#include <array>
#include <cstdint>
#include <cstring>
#include <string>
#include <utility>

#include "vkgpt/core/format.hpp"
#include "vkgpt/model/train_plan.hpp"
#include "vkgpt/ops/norm.hpp"
#include "vkgpt/ops/optimizer/global_norm.hpp"
#include "vkgpt/ops/optimizer/optimizer.hpp"
#include "vkgpt/ops/optimizer/optimizer_adamw8.hpp"
#include "vkgpt/ops/optimizer/optimizer_lion.hpp"
#include "vkgpt/ops/step_params.hpp"

#include "cli/bench/bench.hpp"
#include "cli/bench/segment_clock.hpp"

namespace vkgpt::cli {
namespace {

using plan::Role;
using plan::Tensor;

/// Times the segments of a plan that holds each `repeats` times.
std::vector<Figure> time_segments(SegmentClock& clock, const std::string& bench, const std::string& shape,
                                  int repeats, const DeviceLimits& limits) {
  std::vector<Figure> figures;
  for (const plan::Segment& segment : clock.plan().segments) {
    plan::Cost cost = segment_cost(clock.plan(), segment.name);
    cost.flops /= repeats;
    cost.bytes /= repeats;
    figures.push_back(bandwidth_figure(bench, vkgpt::format("{} {}", segment.name, shape), cost,
                                       clock.time(segment.name) / repeats, limits));
  }
  return figures;
}

void append_norm(plan::PlanBuilder& builder, ops::NormKind kind, std::int64_t rows, std::int64_t C,
                 int repeats) {
  const bool has_mean = kind == ops::NormKind::kLayerNorm;
  const std::string name = has_mean ? "layernorm" : "rmsnorm";
  const auto tensor = [&](const char* what, Shape shape) {
    return builder.persistent(what, std::move(shape), Role::kActivations);
  };
  const Tensor x = tensor("x", {rows, C}), branch = tensor("branch", {rows, C});  // (rows, C)
  const Tensor sum = tensor("sum", {rows, C}), y = tensor("y", {rows, C});        // (rows, C)
  const Tensor dx = tensor("dx", {rows, C});                                      // (rows, C)
  const Tensor weight = tensor("weight", {C}), dweight = tensor("dweight", {C});  // (C)
  const Tensor rstd = tensor("rstd", {rows});                                     // (rows)
  std::optional<Tensor> mean, bias, dbias;
  if (has_mean) {
    mean = tensor("mean", {rows});
    bias = tensor("bias", {C});
    dbias = tensor("dbias", {C});
  }
  builder.begin_segment(name + " forward");
  for (int i = 0; i < repeats; ++i) {
    ops::norm_forward(builder, {.kind = kind,
                                .x = x,
                                .weight = weight,
                                .bias = bias,
                                .y = y,
                                .mean = mean,
                                .rstd = rstd,
                                .residual = ops::NormResidual{branch, sum}});
  }
  builder.begin_segment(name + " backward");
  for (int i = 0; i < repeats; ++i) {
    ops::norm_backward(builder, {.kind = kind,
                                 .dy = y,
                                 .x = sum,
                                 .weight = weight,
                                 .mean = mean,
                                 .rstd = rstd,
                                 .dx = dx,
                                 .dweight = dweight,
                                 .dbias = dbias});
  }
}

}  // namespace

std::vector<Figure> bench_norm(vk::Context& context, std::int64_t rows, std::int64_t C,
                               const DeviceLimits& limits) {
  const std::int64_t bytes = 4 * rows * C;
  const int repeats = repeats_of(context.caps(), {.bytes = 4 * bytes});
  plan::PlanBuilder builder(context.caps());
  for (const ops::NormKind kind : {ops::NormKind::kLayerNorm, ops::NormKind::kRmsNorm}) {
    append_norm(builder, kind, rows, C, repeats);
  }
  SegmentClock clock(context, std::move(builder).finish());
  for (const char* input : {"x", "branch", "weight"}) clock.fill(input);
  return time_segments(clock, "norm", vkgpt::format("{}x{}", rows, C), repeats, limits);
}

std::vector<Figure> bench_optimizer(vk::Context& context, std::int64_t elements, const DeviceLimits& limits) {
  const std::int64_t bytes = 4 * elements;
  const int repeats = repeats_of(context.caps(), {.bytes = 7 * bytes});
  plan::PlanBuilder builder(context.caps());
  const auto arena = [&](const char* name, Role role) { return builder.persistent(name, {elements}, role); };
  const Tensor weights = arena("weights", Role::kParameters),
               gradients = arena("gradients", Role::kGradients);
  const Tensor m = arena("m", Role::kOptimizer), v = arena("v", Role::kOptimizer);  // (N)
  const std::array whole = {ops::Slice{0, elements}};
  const Tensor decay = ops::decay_bits(builder, elements, whole);
  const Tensor norm = ops::global_norm_state(builder);
  const auto segment = [&](const char* name, auto&& append) {
    builder.begin_segment(name);
    for (int i = 0; i < repeats; ++i) append();
  };
  // First the norm: the optimizers read the clip scale that it leaves.
  segment("global_norm", [&] { ops::global_norm(builder, gradients, 1.0F, norm); });
  segment("adamw", [&] {
    ops::optimizer_adamw(
        builder, {.weights = weights, .gradients = gradients, .m = m, .v = v, .decay = decay, .norm = norm},
        {});
  });
  segment("lion", [&] {
    ops::optimizer_lion(
        builder, {.weights = weights, .gradients = gradients, .m = m, .decay = decay, .norm = norm}, {});
  });
  segment("adamw8", [&] {
    ops::optimizer_adamw8(
        builder, {.weights = weights, .gradients = gradients, .decay = decay, .norm = norm, .tensors = whole},
        {});
  });
  SegmentClock clock(context, std::move(builder).finish());
  for (const char* input : {"weights", "gradients"}) clock.fill(input);
  ops::StepParams params;
  params.learning_rate = 1e-4F;
  std::memcpy(clock.store().upload_slot<std::byte>(model::tensor::kStepParams, 0).data(), &params,
              sizeof(params));
  return time_segments(clock, "optimizer", vkgpt::format("{}", elements), repeats, limits);
}

}  // namespace vkgpt::cli
