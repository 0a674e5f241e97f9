#include <cstdint>
#include <functional>
#include <utility>
#include <vector>

#include <gtest/gtest.h>

#include "vkgpt/check/op_table.hpp"
#include "vkgpt/ops/activation.hpp"
#include "vkgpt/ops/attention/qk_norm.hpp"
#include "vkgpt/ops/attention/rope.hpp"
#include "vkgpt/ops/cross_entropy.hpp"
#include "vkgpt/ops/norm.hpp"

#include "gpu_context.hpp"
#include "ops/op_runner.hpp"

// Kernels whose rows know nothing of each other in dispatches of less work (`DeviceCaps::dispatch_share`).

namespace vkgpt::ops {
namespace {

constexpr std::int64_t kRows = 520, kWidth = 1024;  // three dispatches of at most 256 rows

using Tensors = std::vector<plan::Tensor>;
/// Appends an op, and gives the tensors that it writes.
using Op = std::function<Tensors(test::OpRunner&)>;

plan::Tensor random(test::OpRunner& run, Shape shape, std::uint64_t seed) {
  const auto count = static_cast<std::size_t>(shape.numel());
  return run.input(std::move(shape), check::random_floats(count, seed));
}

Tensors both_norms(test::OpRunner& run) {
  const NormForward forward{.x = random(run, {kRows, kWidth}, 1),
                            .weight = random(run, {kWidth}, 2),
                            .bias = random(run, {kWidth}, 3),
                            .y = run.output({kRows, kWidth}),
                            .mean = run.output({kRows}),
                            .rstd = run.output({kRows})};
  norm_forward(run.builder(), forward);
  const NormBackward backward{.dy = random(run, {kRows, kWidth}, 4),
                              .x = forward.x,
                              .weight = forward.weight,
                              .mean = forward.mean,
                              .rstd = forward.rstd,
                              .dx = run.output({kRows, kWidth}),
                              .dweight = random(run, {kWidth}, 5),
                              .dbias = random(run, {kWidth}, 6)};
  norm_backward(run.builder(), backward);
  return {forward.y, *forward.mean, forward.rstd, backward.dx, *backward.dweight, *backward.dbias};
}

Tensors both_qk_norms(test::OpRunner& run) {
  const QkNormForward forward{.qkv = random(run, {kRows, kWidth}, 1),
                              .q_weight = random(run, {128}, 2),
                              .k_weight = random(run, {128}, 3),
                              .out = run.output({kRows, kWidth}),
                              .rstd = run.output({kRows, 6}),
                              .n_head = 4,
                              .n_kv_head = 2};
  qk_norm_forward(run.builder(), forward);
  const QkNormBackward backward{.dout = random(run, {kRows, kWidth}, 4),
                                .qkv = forward.qkv,
                                .q_weight = forward.q_weight,
                                .k_weight = forward.k_weight,
                                .rstd = forward.rstd,
                                .dqkv = run.output({kRows, kWidth}),
                                .dq_weight = random(run, {128}, 5),
                                .dk_weight = random(run, {128}, 6),
                                .n_head = 4,
                                .n_kv_head = 2};
  qk_norm_backward(run.builder(), backward);
  return {forward.out, forward.rstd, backward.dqkv, *backward.dq_weight, *backward.dk_weight};
}

Tensors both_ropes(test::OpRunner& run) {
  const plan::Tensor table = random(run, {kRows / 2, 64, 2}, 1);
  const RopeForward forward{
      .qkv = random(run, {2, kRows / 2, kWidth}, 2), .table = table, .n_head = 4, .n_kv_head = 2};
  rope_forward(run.builder(), forward);
  const RopeBackward backward{
      .dqkv = random(run, {2, kRows / 2, kWidth}, 3), .table = table, .n_head = 4, .n_kv_head = 2};
  rope_backward(run.builder(), backward);
  return {forward.qkv, backward.dqkv};
}

Tensors both_gates(test::OpRunner& run) {
  const plan::Tensor x = random(run, {kRows, kWidth}, 1), y = run.output({kRows, kWidth / 2});
  swiglu_forward(run.builder(), x, y);
  const plan::Tensor dx = run.output(x.shape);
  swiglu_backward(run.builder(), random(run, y.shape, 2), x, dx);
  return {y, dx};
}

Tensors fused_cross_entropy(test::OpRunner& run) {
  std::vector<std::int32_t> targets;
  for (std::int64_t row = 0; row < kRows; ++row) targets.push_back(static_cast<std::int32_t>(row * 7 % 1000));
  const CrossEntropy args{.logits = random(run, {kRows, kWidth}, 1),
                          .targets = run.input({kRows}, targets),
                          .losses = run.output({kRows}),
                          .V = 1000};
  cross_entropy_fused(run.builder(), args, 0.5F);
  return {args.logits, args.losses};
}

/// The bits of what the op writes, and its dispatches.
std::pair<std::vector<std::vector<std::uint32_t>>, std::size_t> run_with(vk::Target target, double share,
                                                                         const Op& op) {
  target.caps.dispatch_share = share;
  test::OpRunner run(target);
  const Tensors written = op(run);
  run.run();
  std::vector<std::vector<std::uint32_t>> bits;
  for (const plan::Tensor& t : written) bits.push_back(run.words(t));
  return {bits, run.plan().segment("op").dispatches.size()};
}

TEST(GpuRowShares, GiveTheSameBitsInMoreDispatches) {
  struct Case {
    Op op;
    std::size_t divided;  // kernels
  };
  for (const auto& [op, divided] : {Case{both_norms, 2}, Case{both_qk_norms, 2}, Case{both_ropes, 2},
                                    Case{both_gates, 2}, Case{fused_cross_entropy, 1}}) {
    for (const bool is_gpu : {false, true}) {
      const vk::Target target = check::target_of(test::shared_context().target(), "", {.is_gpu = is_gpu});
      const auto [whole, few] = run_with(target, 1, op);
      const auto [parts, many] = run_with(target, 1e-9, op);
      EXPECT_EQ(many, few + 2 * divided);
      EXPECT_EQ(parts, whole);
    }
  }
}

}  // namespace
}  // namespace vkgpt::ops
