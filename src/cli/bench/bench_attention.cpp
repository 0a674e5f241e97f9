#include <cstdint>
#include <utility>

#include "vkgpt/core/format.hpp"
#include "vkgpt/ops/attention/attention.hpp"

#include "cli/bench/backend_sweep.hpp"
#include "cli/bench/bench.hpp"
#include "cli/bench/segment_clock.hpp"

namespace vkgpt::cli {
namespace {

constexpr const char* kForward = "forward";
constexpr const char* kBackward = "backward";

plan::Plan attention_plan(const vk::Target& target, const AttentionSize& size, DType dtype, int repeats) {
  const auto& [B, T, NH, NKV, HS, window] = size;
  const std::int64_t C = NH * HS, width = (NH + 2 * NKV) * HS;
  plan::PlanBuilder builder(target);
  const auto tensor = [&](const char* name, std::int64_t columns) {
    return builder.persistent(name, {B, T, columns}, plan::Role::kActivations, dtype);
  };
  const plan::Tensor qkv = tensor("qkv", width), dqkv = tensor("dqkv", width);  // (B, T, (NH + 2 NKV) HS)
  const plan::Tensor out = tensor("out", C), dout = tensor("dout", C);          // (B, T, C)
  const plan::Tensor lse = builder.persistent("lse", {B, NH, T}, plan::Role::kActivations);
  builder.begin_segment(kForward);
  for (int i = 0; i < repeats; ++i) {
    ops::attention_forward(
        builder, {.qkv = qkv, .out = out, .lse = lse, .n_head = NH, .n_kv_head = NKV, .window = window});
  }
  builder.begin_segment(kBackward);
  for (int i = 0; i < repeats; ++i) {
    ops::attention_backward(builder, {.dout = dout,
                                      .qkv = qkv,
                                      .out = out,
                                      .lse = lse,
                                      .dqkv = dqkv,
                                      .n_head = NH,
                                      .n_kv_head = NKV,
                                      .window = window});
  }
  return std::move(builder).finish();
}

/// Of `products` products over all pairs of a query and a key that it sees.
std::int64_t attention_flops(const AttentionSize& size, std::int64_t products) {
  const std::int64_t window = size.window == 0 ? size.T : std::min(size.window, size.T);
  const std::int64_t pairs = window * (window + 1) / 2 + (size.T - window) * window;
  return 2 * products * pairs * size.B * size.n_head * size.HS;
}

}  // namespace

std::vector<Figure> bench_attention(vk::Context& context, const AttentionSize& size, DType dtype,
                                    const DeviceLimits& limits) {
  std::vector<Figure> figures;
  std::string shape = vkgpt::format("B{} T{} NH{} HS{}", size.B, size.T, size.n_head, size.HS);
  if (size.n_kv_head != size.n_head) shape += vkgpt::format(" NKV{}", size.n_kv_head);
  if (size.window != 0) shape += vkgpt::format(" W{}", size.window);
  const plan::Plan scalar =
      attention_plan(only_backend(context.target(), "attention", vk::Backend::kScalar), size, dtype, 1);
  for (const vk::Backend backend : vk::kBackends) {
    const vk::Target target = only_backend(context.target(), "attention", backend);
    const plan::Plan once = attention_plan(target, size, dtype, 1);
    const auto does = [&](const char* segment) {
      return backend == vk::Backend::kScalar ||
             has_other_kernels(once.segment(segment), scalar.segment(segment));
    };
    if (!does(kForward) && !does(kBackward)) continue;
    const int repeats = repeats_of(target.caps, segment_cost(once, kBackward));
    SegmentClock clock(context, attention_plan(target, size, dtype, repeats));
    for (const char* input : {"qkv", "dout"}) clock.fill(input);
    // In this order: the backward takes what the forward leaves.
    for (const auto& [segment, products] : {std::pair{kForward, 2}, {kBackward, 5}}) {
      const double seconds = clock.time(segment) / repeats;
      if (!does(segment)) continue;
      const plan::Cost cost{.flops = attention_flops(size, products),
                            .bytes = segment_cost(once, segment).bytes};
      figures.push_back(compute_figure(
          "attention",
          vkgpt::format("{} {} {} {}", segment, dtype_name(dtype), shape, vk::backend_name(backend)), cost,
          seconds, dtype, limits));
    }
  }
  return figures;
}

}  // namespace vkgpt::cli
