#include <algorithm>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "vkgpt/check/trial.hpp"
#include "vkgpt/ops/launch.hpp"

#include "cli/bench/bench.hpp"
#include "cli/bench/segment_clock.hpp"

namespace vkgpt::cli {
namespace {

constexpr const char* kSegment = "op";
constexpr double kLongEnough = 5e-3;  // seconds

std::uint32_t group_count(const vk::DeviceCaps& caps) {
  return caps.is_cpu() ? 64 : 4096;
}

/// Bytes a second of a copy between tensors that no cache holds.
double copy_rate(vk::Context& context) {
  const vk::DeviceCaps& caps = context.caps();
  const std::uint64_t most = std::min(caps.max_storage_buffer_range, caps.max_allocation_bytes);
  const auto bytes =
      static_cast<std::int64_t>(std::min<std::uint64_t>(most, caps.is_cpu() ? 1 << 26 : 1 << 28));
  const bool has_wide_loads = !caps.is_cpu();  // there they cost more than they bring (shaders/README.md)
  check::Trial trial(context, context.target(), check::Purpose::kTiming);
  const plan::Tensor x = trial.random({bytes / 4}, 1), y = trial.output({bytes / 4});
  for (int i = 0; i < 4; ++i) {
    const std::int64_t count = has_wide_loads ? bytes / 16 : bytes / 4;
    plan::Dispatch dispatch = ops::elementwise(
        caps, "bench_copy", count, plan::Macros{}.text("WORD", has_wide_loads ? "uvec4" : "uint"));
    dispatch.bindings = {plan::read(i % 2 == 0 ? x : y), plan::write(i % 2 == 0 ? y : x)};
    dispatch.push = plan::PushWords{}.u32(count);
    trial.builder().dispatch(std::move(dispatch));
  }
  const plan::Cost cost = segment_cost(trial.plan(), kSegment);
  return static_cast<double>(cost.bytes) / SegmentClock(context, trial.executor(1)).least_time(kSegment);
}

/// Operations a second of the dispatch that `make` gives for a number of iterations, of so many that it takes
/// long enough.
double compute_rate(vk::Context& context, const std::function<plan::Dispatch(std::uint64_t)>& make) {
  for (std::uint64_t iterations = 64;; iterations *= 8) {
    check::Trial trial(context, context.target(), check::Purpose::kTiming);
    plan::Dispatch dispatch = make(iterations);
    const auto flops = static_cast<double>(dispatch.cost.flops);
    dispatch.bindings = {plan::write(trial.output({64}))};
    trial.builder().dispatch(std::move(dispatch));
    const double seconds = SegmentClock(context, trial.executor(1)).least_time(kSegment);
    if (seconds >= kLongEnough) return flops / seconds;
  }
}

double fma_rate(vk::Context& context, bool is_half) {
  const vk::DeviceCaps& caps = context.caps();
  const std::uint32_t subgroups = ops::subgroups_per_workgroup(caps);
  return compute_rate(context, [&](std::uint64_t iterations) {
    constexpr std::uint64_t kSteps = std::uint64_t{12} * 4;  // chains by steps, as in the shader
    plan::Dispatch dispatch = ops::workgroups(caps, "bench_fma", group_count(caps), subgroups,
                                              plan::Macros{}.flag("HALF", is_half));
    dispatch.kernel.spec_constants.resize(1);  // only the workgroup's size
    dispatch.push = plan::PushWords{}.u32(iterations).f32(0.5F, 0.25F);
    const std::uint64_t lanes = std::uint64_t{group_count(caps)} * subgroups * caps.subgroup_size;
    dispatch.cost.flops = (is_half ? 4 : 2) * kSteps * iterations * lanes;
    return dispatch;
  });
}

/// The largest f16 shape with sums in f32.
std::optional<vk::CooperativeMatrixShape> matrix_shape(const vk::DeviceCaps& caps) {
  std::optional<vk::CooperativeMatrixShape> best;
  for (const vk::CooperativeMatrixShape& shape : caps.cooperative_matrices) {
    if (shape.ab_type != "f16" || shape.result_type != "f32") continue;
    if (!best || shape.m * shape.n * shape.k > best->m * best->n * best->k) best = shape;
  }
  return best;
}

double matrix_rate(vk::Context& context, const vk::CooperativeMatrixShape& shape) {
  const vk::DeviceCaps& caps = context.caps();
  const std::uint32_t subgroups = std::min<std::uint32_t>(4, ops::subgroups_per_workgroup(caps));
  return compute_rate(context, [&](std::uint64_t iterations) {
    constexpr std::uint64_t kProducts = std::uint64_t{4} * 2;  // as in the shader
    plan::Dispatch dispatch =
        ops::workgroups(caps, "bench_matrix", group_count(caps), subgroups,
                        plan::Macros{}.value("MM", shape.m).value("NN", shape.n).value("KK", shape.k));
    dispatch.push = plan::PushWords{}.u32(iterations).f32(0.125F, -1.0F);
    dispatch.cost.flops = 2ULL * shape.m * shape.n * shape.k * kProducts * iterations *
                          std::uint64_t{group_count(caps)} * subgroups;
    return dispatch;
  });
}

}  // namespace

DeviceLimits measure_limits(vk::Context& context) {
  const vk::DeviceCaps& caps = context.caps();
  DeviceLimits limits;
  limits.copy = 1e-9 * copy_rate(context);
  limits.fma_f32 = 1e-9 * fma_rate(context, false);
  if (caps.shader_f16) limits.fma_f16 = 1e-9 * fma_rate(context, true);
  if (const auto shape = matrix_shape(caps)) limits.matrix_f16 = 1e-9 * matrix_rate(context, *shape);
  return limits;
}

}  // namespace vkgpt::cli
