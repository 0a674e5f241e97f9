#include <algorithm>
#include <array>
#include <bit>
#include <cmath>
#include <format>

#include "vkgpt/ops/cross_entropy.hpp"
#include "vkgpt/ops/fill.hpp"
#include "vkgpt/ops/launch.hpp"
#include "vkgpt/ops/optimizer/ema.hpp"
#include "vkgpt/ops/optimizer/global_norm.hpp"
#include "vkgpt/ops/optimizer/grad_stats.hpp"
#include "vkgpt/ops/optimizer/loss_scale.hpp"
#include "vkgpt/ops/optimizer/optimizer.hpp"
#include "vkgpt/ops/optimizer/optimizer_adamw8.hpp"
#include "vkgpt/ops/optimizer/optimizer_lion.hpp"
#include "vkgpt/ops/optimizer/optimizer_muon.hpp"

#include "cli/selftest/selftest_cases.hpp"
#include "reference/cross_entropy.hpp"
#include "reference/muon.hpp"
#include "reference/numbers.hpp"
#include "reference/optimizer.hpp"

namespace vkgpt::cli {
namespace {

using reference::random_floats;
using reference::to_double;
using reference::Vector;

constexpr double kF32Bound = reference::kFp32Nmse;
constexpr double kLearningRate = 0.01;
constexpr float kClipScale = 0.25F;

/// The first step of a run, and what `ops::global_norm` leaves for its optimizer.
ops::StepParams first_step(double beta1, double beta2) {
  ops::StepParams step;
  step.learning_rate = static_cast<float>(kLearningRate);
  step.bias_correction1 = static_cast<float>(1.0 / (1.0 - beta1));
  step.bias_correction2 = static_cast<float>(1.0 / (1.0 - beta2));
  return step;
}

plan::Tensor clipped_norm(OpCase& c) {
  const std::array<std::uint32_t, 4> words = {std::bit_cast<std::uint32_t>(1.0F),
                                              std::bit_cast<std::uint32_t>(kClipScale), 0, 0};
  return c.input({4}, words);
}

/// All of the arena decays.
plan::Tensor all_decay(OpCase& c, std::int64_t elements) {
  const std::array whole = {ops::Slice{0, elements}};
  return ops::decay_bits(c.builder(), elements, whole);
}

reference::AdamW reference_constants(const ops::AdamW& c) {
  return {kLearningRate, c.beta1, c.beta2, c.eps, c.weight_decay};
}

void adamw(CaseList& list) {
  constexpr std::int64_t n = 1003;
  constexpr ops::AdamW kConstants;
  const std::vector<float> w = random_floats(n, 1), g = random_floats(n, 2), zeros(n);
  OpCase& c = list.add("adamw f32 1003");
  c.step = first_step(kConstants.beta1, kConstants.beta2);
  const ops::OptimizerAdamW args{.weights = c.input({n}, w),
                                 .gradients = c.input({n}, g),
                                 .m = c.input({n}, zeros),
                                 .v = c.input({n}, zeros),
                                 .decay = all_decay(c, n),
                                 .norm = clipped_norm(c)};
  ops::optimizer_adamw(c.builder(), args, kConstants);
  Vector weights = to_double(w), m(n), v(n);
  reference::adamw_step(weights, to_double(g), m, v, 1, reference_constants(kConstants), double{kClipScale});
  c.expect(args.weights, weights, kF32Bound);
  c.expect(args.m, m, kF32Bound);
  c.expect(args.v, v, kF32Bound);
}

void lion(CaseList& list) {
  constexpr std::int64_t n = 1003;
  constexpr ops::Lion kConstants;
  const std::vector<float> w = random_floats(n, 1), g = random_floats(n, 2), old_m = random_floats(n, 3);
  OpCase& c = list.add("lion f32 1003");
  c.step = first_step(kConstants.beta1, kConstants.beta2);
  const ops::OptimizerLion args{.weights = c.input({n}, w),
                                .gradients = c.input({n}, g),
                                .m = c.input({n}, old_m),
                                .decay = all_decay(c, n),
                                .norm = clipped_norm(c)};
  ops::optimizer_lion(c.builder(), args, kConstants);
  Vector weights = to_double(w), m = to_double(old_m);
  reference::lion_step(weights, to_double(g), m,
                       {kLearningRate, kConstants.beta1, kConstants.beta2, kConstants.weight_decay},
                       double{kClipScale});
  c.expect(args.weights, weights, kF32Bound);
  c.expect(args.m, m, kF32Bound);
}

void muon(CaseList& list) {
  constexpr std::int64_t kRows = 17, kColumns = 33, n = kRows * kColumns;
  constexpr ops::Muon kConstants;
  // Five Newton-Schulz steps multiply rounding errors by up to 485.
  constexpr double kBound = 1e-8;
  const std::vector<float> w = random_floats(n, 1, 0.05F), g = random_floats(n, 2), zeros(n);
  OpCase& c = list.add("muon f32 17x33");
  c.step = first_step(0.9, 0.95);
  const std::array matrices = {ops::MuonMatrix{0, kRows, kColumns}};
  const ops::OptimizerMuon args{.weights = c.input({n}, w),
                                .gradients = c.input({n}, g),
                                .momentum = c.input({n}, zeros),
                                .norm = clipped_norm(c),
                                .matrices = matrices};
  ops::optimizer_muon(c.builder(), args, kConstants);
  Vector weights = to_double(w), momentum(n);
  reference::muon_step(weights, to_double(g), momentum, kRows, kColumns,
                       {kLearningRate, kConstants.momentum, kConstants.weight_decay}, double{kClipScale});
  c.expect(args.weights, weights, kBound);
  c.expect(args.momentum, momentum, kF32Bound);
}

/// A tensor in 8 bits and one that is too small for them.
void adamw8(CaseList& list) {
  constexpr std::int64_t kBig = ops::kAdamW8MinElements, kSmall = ops::kAdamW8Block, n = kBig + kSmall;
  constexpr ops::AdamW kConstants;
  const std::vector<float> w = random_floats(n, 1), g = random_floats(n, 2);
  OpCase& c = list.add(std::format("adamw8 f32 {}", n));
  c.step = first_step(kConstants.beta1, kConstants.beta2);
  const std::array tensors = {ops::Slice{0, kBig}, ops::Slice{kBig, kSmall}};
  const ops::OptimizerAdamW8 args{.weights = c.input({n}, w),
                                  .gradients = c.input({n}, g),
                                  .decay = all_decay(c, n),
                                  .norm = clipped_norm(c),
                                  .tensors = tensors};
  ops::optimizer_adamw8(c.builder(), args, kConstants);
  // The first step's weights see moments that were never in 8 bits.
  Vector weights = to_double(w), m(n), v(n);
  reference::adamw_step(weights, to_double(g), m, v, 1, reference_constants(kConstants), double{kClipScale});
  c.expect(args.weights, weights, kF32Bound);
}

void ema(CaseList& list) {
  constexpr std::int64_t n = 1003;
  const std::vector<float> old = random_floats(n, 1), w = random_floats(n, 2);
  OpCase& c = list.add("ema f32 1003");
  c.step.step = 2;
  const ops::EmaUpdate args{.ema = c.input({n}, old), .weights = c.input({n}, w), .norm = clipped_norm(c)};
  ops::ema_update(c.builder(), args);
  Vector expected = to_double(old);
  reference::ema_step(expected, to_double(w), 2, args.decay);
  c.expect(args.ema, expected, kF32Bound);
}

void loss_scale(CaseList& list) {
  OpCase& c = list.add("loss_scale f32");
  const std::array<std::uint32_t, 4> state = {std::bit_cast<std::uint32_t>(65536.0F), 0, 0, 0};
  const std::array<std::uint32_t, 4> skipped = {0, 0, 1, 0};
  const plan::Tensor scale = c.input({4}, state);
  ops::loss_scale_update(c.builder(), scale, c.input({4}, skipped));
  c.expect(scale, {32768, 0, 0, 0}, 0);
}

}  // namespace

void cross_entropy_cases(CaseList& list) {
  constexpr std::int64_t kRows = 70, V = 97, Vp = 128;
  constexpr float kGradScale = 0.37F;
  constexpr reference::LossShaping kShaping{.softcap = 15, .label_smoothing = 0.2, .z_loss = 1e-3};
  std::vector<std::int32_t> targets = reference::random_tokens(kRows, 2, V);
  for (std::size_t i = 2; i < targets.size(); i += 5) targets[i] = -1;
  for (const DType dtype : list.dtypes()) {
    std::vector<float> logits = reference::rounded(random_floats(kRows * Vp, 1, 20.0F), dtype);
    for (std::int64_t i = 0; i < kRows * Vp; ++i) {
      if (i % Vp >= V) logits[static_cast<std::size_t>(i)] = 1000.0F;  // what the mask must not let through
    }
    for (const bool is_shaped : {false, true}) {
      const reference::LossShaping shaping = is_shaped ? kShaping : reference::LossShaping{};
      OpCase& c =
          list.add(std::format("{} {}x{}{}", dtype_name(dtype), kRows, V, is_shaped ? " shaped" : ""));
      const plan::Tensor ids = c.input({kRows}, targets);
      const ops::CrossEntropy args{.logits = c.input({kRows, Vp}, logits, dtype),
                                   .targets = ids,
                                   .losses = c.output({kRows}),
                                   .V = V,
                                   .softcap = shaping.softcap};
      ops::CrossEntropy only_losses = args;
      only_losses.losses = c.output({kRows});
      ops::cross_entropy_forward(c.builder(), only_losses);
      ops::cross_entropy_fused(c.builder(), args, kGradScale,
                               {.label_smoothing = shaping.label_smoothing, .z_loss = shaping.z_loss});
      const std::array<std::uint32_t, 2> no_losses = {};
      const plan::Tensor sum = c.input({2}, no_losses);
      const plan::Tensor mean = c.output({8});
      ops::loss_sum(c.builder(), only_losses.losses, ids, sum);
      ops::loss_mean(c.builder(), sum, mean);
      const Vector z = to_double(logits);
      const reference::CrossEntropy plain =
          reference::cross_entropy_forward(z, targets, V, Vp, {.softcap = shaping.softcap});
      c.expect(only_losses.losses, plain.losses, kF32Bound);
      c.expect(mean, {plain.mean_loss, 0, 0, 0, 1, 0, 0, 0}, kF32Bound);
      // Its words are the bits of a float and a count, a float of no weight.
      c.expect(sum, {plain.mean_loss * static_cast<double>(plain.counted), 0}, kF32Bound);
      c.expect(args.losses, reference::cross_entropy_forward(z, targets, V, Vp, shaping).losses, kF32Bound);
      c.expect(args.logits, reference::cross_entropy_backward(z, targets, V, Vp, double{kGradScale}, shaping),
               rounding_bound(dtype));
    }
  }
}

void gradient_cases(CaseList& list) {
  constexpr std::int64_t n = 5003;
  const std::vector<float> g = random_floats(n, 1);
  const double norm = reference::global_norm(reference::View(to_double(g)));
  OpCase& c = list.add("f32 global_norm, grad_stats, fill 5003");
  const std::array<std::uint32_t, 4> no_state = {};
  const plan::Tensor gradients = c.input({n}, g), state = c.input({4}, no_state);
  const plan::Tensor stats = c.output({1, 4}), ones = c.output({1027});
  ops::global_norm(c.builder(), gradients, 1.0F, state);
  ops::grad_stats(c.builder(), std::array{gradients}, stats);
  ops::fill(c.builder(), ones, std::bit_cast<std::uint32_t>(1.0F));
  double largest = 0;
  for (const float value : g) largest = std::max(largest, std::abs(double{value}));
  c.expect(stats, {norm, largest, 0, 0}, kF32Bound);
  c.expect(ones, Vector(1027, 1.0), 0);
  // Its words are the bits of floats, and a flag of 0.
  c.expect(state, {norm, reference::clip_scale(norm, 1.0), 0, 0}, kF32Bound);
}

void optimizer_cases(CaseList& list) {
  adamw(list);
  lion(list);
  muon(list);
  adamw8(list);
  ema(list);
  loss_scale(list);
}

}  // namespace vkgpt::cli
