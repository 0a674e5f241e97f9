#include "vkgpt/ops/optimizer/ema.hpp"

#include <algorithm>

#include "vkgpt/check/op_table.hpp"
#include "vkgpt/check/update_rules.hpp"
#include "vkgpt/core/check.hpp"
#include "vkgpt/core/format.hpp"

namespace vkgpt::check {

void ema_step(std::span<double> ema, View weights, std::int64_t step, double decay) {
  VKGPT_CHECK(ema.size() == weights.size() && step >= 0);
  const double d = std::min(decay, static_cast<double>(1 + step) / static_cast<double>(10 + step));
  for (std::size_t i = 0; i < ema.size(); ++i) ema[i] = d * ema[i] + (1.0 - d) * weights[i];
}

namespace {

/// Follows the weights, keeps every bit of a skipped step, and stays where it equals the weights.
void follow(Trial& t, std::int64_t n, double decay) {
  const auto count = static_cast<std::size_t>(n);
  const Operand ema = t.random({n}, 1), weights = t.random({n}, 1);
  const Operand norm = t.given({4}, norm_state(1.0F), DType::kU32);
  ops::ema_update(t.builder(), {.ema = ema, .weights = weights, .norm = norm, .decay = decay});
  t.replay({.step = 5});
  t.expect_exactly("ema of its weights", ema, to_float(ema));
  Vector expected = ema.values;
  for (const std::uint32_t step : {0U, 1U, 2U, 100U, 100000U}) {
    const std::vector<float> w = random_floats(count, 2 + step);
    t.replay({.step = step});
    t.put(weights, w);
    ema_step(expected, to_double(w), step, decay);
    t.expect("ema", ema, expected, kFp32Nmse);
  }
  t.replay({.step = 3});
  t.put(norm, norm_state(1.0F, true));
  t.expect_kept("ema of a skipped step", ema);
}

}  // namespace

std::vector<Case> ema_cases() {
  std::vector<Case> cases;
  for (const std::int64_t n : {1, 63, 5001}) {
    for (const double decay : {0.3, 0.9999}) {
      cases.push_back({.variant = vkgpt::format("f32 {} decay {}", n, decay),
                       .quick = n == 5001,
                       .devices = folded_devices(sizeof(float) * 64 * 17),
                       .build = [=](Trial& t) { follow(t, n, decay); }});
    }
  }
  return cases;
}

}  // namespace vkgpt::check
