#include "vkgpt/ops/optimizer/global_norm.hpp"

#include <algorithm>
#include <bit>
#include <cmath>
#include <optional>

#include "vkgpt/check/op_table.hpp"
#include "vkgpt/check/update_rules.hpp"
#include "vkgpt/core/format.hpp"

namespace vkgpt::check {

double global_norm(std::span<const View> gradients) {
  double sum = 0.0;
  for (const View gradient : gradients)
    for (const double value : gradient) sum += value * value;
  return std::sqrt(sum);
}

double global_norm(View gradient) {
  return global_norm(std::span<const View>(&gradient, 1));
}

double clip_scale(double norm, double clip) {
  constexpr double kEps = 1e-6;
  return clip <= 0.0 ? 1.0 : std::min(1.0, clip / (norm + kEps));
}

ops::StepParams step_params_at(std::int64_t step, double learning_rate, double beta1, double beta2) {
  const auto t = static_cast<double>(step);
  return {.step = static_cast<std::uint32_t>(step - 1),
          .learning_rate = static_cast<float>(learning_rate),
          .bias_correction1 = static_cast<float>(1.0 / (1.0 - std::pow(beta1, t))),
          .bias_correction2 = static_cast<float>(1.0 / (1.0 - std::pow(beta2, t)))};
}

std::vector<float> norm_state(float clip_scale, bool is_skipped) {
  return {1.0F, clip_scale, std::bit_cast<float>(is_skipped ? 1U : 0U), 0.0F};
}

namespace {

/// Of the norm and the clip scale. Vulkan lets a square root be wrong by 4.5 ULP (a division by an inverse
/// square root) and each of two divisions by 2.5, an ULP being up to 2^-23; sums add a little.
constexpr double kNormTolerance = 2e-6;

/// The state's words as floats. A loss scale multiplies the gradients and is taken off again.
void norm_of(Trial& t, std::int64_t n, float clip, double loss_scale) {
  Operand g = t.random({n}, 1, static_cast<float>(loss_scale));
  for (double& value : g.values) value /= loss_scale;
  const plan::Tensor state = t.zeros({4}, DType::kU32);
  std::optional<plan::Tensor> scale;
  if (loss_scale != 1) {
    scale = t.given({4}, std::vector{static_cast<float>(loss_scale), std::bit_cast<float>(7U), 0.0F, 0.0F},
                    DType::kU32);
  }
  t.pass(vkgpt::format("f32 {}", n));
  ops::global_norm(t.builder(), g, clip, state, {}, scale);
  if (t.is_timed()) return;
  const double norm = global_norm(View(g));
  t.expect_near("state", state, {norm, clip_scale(norm, double{clip}) / loss_scale, 0, 0}, kNormTolerance);
}

/// Gradients of the sum of losses over all positions become those of the mean over the rows that count.
void norm_of_counted(Trial& t, std::uint32_t counted) {
  constexpr std::int64_t kPositions = 96;
  const Operand g = t.random({70}, 1);
  const plan::Tensor state = t.zeros({4}, DType::kU32);
  const std::vector<float> accumulated{1.0F, std::bit_cast<float>(counted)};
  ops::global_norm(t.builder(), g, 1.0F, state, t.given({2}, accumulated, DType::kU32), {}, kPositions);
  const double spread = static_cast<double>(kPositions) / std::max(counted, 1U);
  const double norm = spread * global_norm(View(g));
  t.expect_near("state", state, {norm, clip_scale(norm, 1) * spread, 0, 0}, kNormTolerance);
}

/// A loss that is not finite sets the flag.
void flag_of(Trial& t, float loss) {
  const plan::Tensor state = t.zeros({4}, DType::kU32);
  const std::vector<float> accumulated{loss, std::bit_cast<float>(1U)};
  ops::global_norm(t.builder(), t.random({2}, 1), 1.0F, state, t.given({2}, accumulated, DType::kU32));
  const float flag = std::bit_cast<float>(is_finite(loss) ? 0U : 1U);
  t.expect_exactly("skip flag and count", state, std::vector{0.0F, 0.0F, flag, flag}, {2, 3});
}

}  // namespace

std::vector<Case> global_norm_cases() {
  std::vector<Case> cases;
  const auto add = [&](std::int64_t n, float clip, double loss_scale) {
    cases.push_back(
        {.variant = vkgpt::format("f32 {} clip {}{}", n, clip, loss_scale == 1 ? "" : " loss_scale"),
         .quick = clip == 1.0F && (n == 4096 || n == 2500),
         .devices = folded_devices(n == 100003 ? 65536 : 4096),
         .build = [=](Trial& t) { norm_of(t, n, clip, loss_scale); }});
  };
  for (const std::int64_t n : {1, 65, 4096, 100003}) {
    for (const float clip : {0.0F, 0.1F, 1.0F, 1e6F}) add(n, clip, 1);
  }
  cases.back().timed = [](Trial& t, const Workload& work) { norm_of(t, work.parameters, 1.0F, 1); };
  for (const float clip : {0.0F, 1.0F, 1e6F}) add(2500, clip, 1024);
  for (const std::uint32_t counted : {96U, 7U, 0U}) {
    cases.push_back({.variant = vkgpt::format("f32 70 of which {} count", counted),
                     .build = [=](Trial& t) { norm_of_counted(t, counted); }});
  }
  for (const float loss : {1.5F, kNaN, kInfinity}) {
    cases.push_back(
        {.variant = vkgpt::format("f32 loss {}", loss), .build = [=](Trial& t) { flag_of(t, loss); }});
  }
  return cases;
}

}  // namespace vkgpt::check
