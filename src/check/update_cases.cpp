#include "check/update_cases.hpp"

#include <bit>
#include <cmath>

#include "vkgpt/core/format.hpp"
#include "vkgpt/ops/optimizer/global_norm.hpp"

namespace vkgpt::check {
namespace {

constexpr std::uint64_t kSlicedBytes = sizeof(float) * 64 * 17;

/// An optimizer's arenas on the device and in double precision, moved side by side.
struct Arenas {
  Arenas(Trial& trial, const UpdateOp& update_op, std::int64_t elements, std::span<const ops::Slice> decaying,
         std::span<const ops::Slice> owned = {})
      : t(trial),
        op(update_op),
        n(static_cast<std::size_t>(elements)),
        decayed(decaying.begin(), decaying.end()),
        active(owned.begin(), owned.end()),
        weights(t.random({elements}, 1)),
        m(t.zeros({elements})),
        v(t.zeros({elements})),
        initial(to_float(weights)) {
    tensors = {.weights = weights,
               .gradients = t.zeros({elements}),
               .m = m,
               .decay = ops::decay_bits(t.builder(), elements, decayed),
               .norm = t.given({4}, norm_state(1.0F), DType::kU32)};
    if (op.has_second_moment) tensors.v = v;
    if (!active.empty()) tensors.active = ops::active_bits(t.builder(), elements, active);
    if (active.empty()) active.push_back({0, elements});
  }

  /// Begins step `step`, from 1, with these gradients.
  void begin(std::int64_t step, const std::vector<float>& gradients) {
    t.replay(step_params_at(step, kUpdateLearningRate));
    t.put(tensors.gradients, gradients);
  }

  /// What the definition makes of them.
  void update(std::int64_t step, const std::vector<float>& gradients, double grad_scale) {
    const Vector g = to_double(gradients);
    for (const ops::Slice part : active) {
      std::size_t i = static_cast<std::size_t>(part.first);
      const std::size_t end = i + static_cast<std::size_t>(part.count);
      for (; i < end; ++i) {
        op.rule({std::span(weights.values).subspan(i, 1), View(g).subspan(i, 1),
                 std::span(m.values).subspan(i, 1), std::span(v.values).subspan(i, 1)},
                step, decays(i) ? op.weight_decay : 0.0, grad_scale);
      }
    }
  }

  void expect() {
    t.expect("weights", weights, weights.values, kFp32Nmse);
    t.expect("m", m, m.values, kFp32Nmse);
    if (tensors.v) t.expect("v", v, v.values, kFp32Nmse);
  }
  void expect_kept() {
    t.expect_kept("weights", weights);
    t.expect_kept("m", m);
    if (tensors.v) t.expect_kept("v", v);
  }

  bool decays(std::size_t i) const {
    for (const ops::Slice part : decayed) {
      if (i >= static_cast<std::size_t>(part.first) &&
          i < static_cast<std::size_t>(part.first + part.count)) {
        return true;
      }
    }
    return false;
  }

  Trial& t;
  const UpdateOp& op;
  std::size_t n;
  std::vector<ops::Slice> decayed, active;
  Operand weights, m, v;
  std::vector<float> initial;
  ops::OptimizerArenas tensors;
};

/// Ten steps, clipped and not, with large gradients and small ones; the second half does not decay.
void many_steps(Trial& t, const UpdateOp& op, std::int64_t n) {
  const std::int64_t boundary = n / 2 / 64 * 64;
  Arenas arenas(t, op, n, std::vector{ops::Slice{0, boundary > 0 ? boundary : n}});
  op.append(t.builder(), arenas.tensors);
  for (std::int64_t step = 1; step <= 10; ++step) {
    const float clip_scale = step % 2 == 0 ? 0.25F : 1.0F;
    const std::vector<float> gradients =
        random_floats(arenas.n, 10 + static_cast<std::uint64_t>(step), step % 3 == 0 ? 1e-3F : 2.0F);
    arenas.begin(step, gradients);
    t.put(arenas.tensors.norm, norm_state(clip_scale));
    arenas.update(step, gradients, double{clip_scale});
  }
  arenas.expect();
}

/// A step with nothing to do, one that moves everything, and one that is skipped.
void skipped_step(Trial& t, const UpdateOp& op) {
  constexpr std::int64_t n = 3000;
  Arenas arenas(t, op, n, {});
  op.append(t.builder(), arenas.tensors);
  arenas.begin(1, std::vector<float>(n));
  t.expect_exactly("weights without gradients", arenas.weights, arenas.initial);
  const std::vector<float> gradients = random_floats(n, 2);
  arenas.begin(2, gradients);
  arenas.update(1, std::vector<float>(n), 1.0);
  arenas.update(2, gradients, 1.0);
  arenas.expect();
  arenas.begin(3, random_floats(n, 3));
  t.put(arenas.tensors.norm, norm_state(1.0F, true));
  arenas.expect_kept();
}

/// Elements of other optimizers stay; ownership is that of whole blocks of 64.
void shared_arenas(Trial& t, const UpdateOp& op) {
  constexpr std::int64_t n = 2000;
  Arenas arenas(t, op, n, std::vector{ops::Slice{0, n}}, std::vector{ops::Slice{128, 320}, {1920, 80}});
  op.append(t.builder(), arenas.tensors);
  const std::vector<float> gradients = random_floats(n, 2);
  arenas.begin(1, gradients);
  arenas.update(1, gradients, 1.0);
  arenas.expect();
  std::vector<std::size_t> others;
  for (std::size_t i = 0; i < n; ++i) {
    if (!((i >= 128 && i < 448) || i >= 1920)) others.push_back(i);
  }
  t.expect_exactly("weights of others", arenas.weights, arenas.initial, others);
  t.expect_exactly("m of others", arenas.m, std::vector<float>(n), others);
}

/// Behind `ops::global_norm`: a gradient that is not finite skips the step, bit for bit.
void poisoned_step(Trial& t, const UpdateOp& op, float poison) {
  constexpr std::int64_t n = 3000;
  Arenas arenas(t, op, n, std::vector{ops::Slice{0, n}});
  ops::global_norm(t.builder(), arenas.tensors.gradients, 1.0F, arenas.tensors.norm);
  op.append(t.builder(), arenas.tensors);
  std::vector<float> gradients = random_floats(n, 2);
  const auto scale = [&] { return clip_scale(global_norm(View(to_double(gradients))), 1.0); };
  const float one = std::bit_cast<float>(1U);
  arenas.begin(1, gradients);
  t.put(arenas.tensors.norm, std::vector<float>(4));
  arenas.update(1, gradients, scale());
  arenas.expect();
  gradients.back() = poison;
  arenas.begin(2, gradients);
  arenas.expect_kept();
  t.expect_exactly("skip flag and count", arenas.tensors.norm, std::vector<float>{0, 0, one, one}, {2, 3});
  gradients.back() = 0.5F;
  arenas.begin(3, gradients);
  arenas.update(3, gradients, scale());
  arenas.expect();
  t.expect_exactly("skip flag and count", arenas.tensors.norm, std::vector<float>{0, 0, 0, one}, {2, 3});
}

void timed_update(Trial& t, const UpdateOp& op, std::int64_t n) {
  const Arenas arenas(t, op, n, std::vector{ops::Slice{0, n}});
  t.pass(vkgpt::format("f32 {}", n));
  op.append(t.builder(), arenas.tensors);
  t.replay(step_params_at(1, kUpdateLearningRate));
}

}  // namespace

std::vector<Case> update_cases(const UpdateOp& op) {
  std::vector<Case> cases;
  const auto add = [&](const std::string& variant, bool quick, auto build) {
    cases.push_back(
        {.variant = variant, .quick = quick, .devices = folded_devices(kSlicedBytes), .build = build});
  };
  for (const std::int64_t n : {1, 63, 64, 1000, 5000}) {
    add(vkgpt::format("f32 {}", n), n == 1000, [=](Trial& t) { many_steps(t, op, n); });
  }
  cases.back().timed = [=](Trial& t, const Workload& work) { timed_update(t, op, work.parameters); };
  add("f32 skipped", false, [=](Trial& t) { skipped_step(t, op); });
  add("f32 shared arenas", false, [=](Trial& t) { shared_arenas(t, op); });
  // The last overflows when squared.
  for (const float poison : {kNaN, kInfinity, -kInfinity, 1e30F}) {
    add(vkgpt::format("f32 gradient {}{}", std::signbit(poison) ? "minus " : "", std::abs(poison)), false,
        [=](Trial& t) { poisoned_step(t, op, poison); });
  }
  return cases;
}

}  // namespace vkgpt::check
