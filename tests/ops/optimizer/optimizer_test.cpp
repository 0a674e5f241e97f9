#include "vkgpt/ops/optimizer/optimizer.hpp"

#include <bit>
#include <cmath>
#include <limits>
#include <vector>

#include <gtest/gtest.h>

#include "vkgpt/core/check.hpp"
#include "vkgpt/ops/optimizer/global_norm.hpp"

#include "ops/op_runner.hpp"
#include "ops/optimizer/optimizer_run.hpp"
#include "reference/compare.hpp"
#include "reference/optimizer.hpp"

namespace vkgpt::ops {
namespace {

using reference::expect_close;
using reference::random_floats;
using reference::to_double;
using test::OpRunner;

constexpr std::uint64_t kSlicedBytes = 64 * 17 * sizeof(float);

StepParams step_params_at(std::int64_t step, double learning_rate, const AdamW& constants) {
  return test::step_params_at(step, learning_rate, constants.beta1, constants.beta2);
}

/// The whole update segment over arenas of `n` elements, of which those of `decayed` decay.
struct Update {
  Update(const vk::DeviceCaps& caps, std::int64_t n, const AdamW& constants, float clip,
         std::span<const Slice> decayed, std::span<const float> initial)
      : runner(caps) {
    const std::vector<float> zeros(initial.size());
    const std::vector<std::uint32_t> bits = make_decay_bits(n, decayed);
    const std::vector<std::uint32_t> no_state(4);
    weights = runner.input({n}, initial);
    gradients = runner.input({n}, zeros);
    m = runner.input({n}, zeros);
    v = runner.input({n}, zeros);
    state = runner.input({4}, no_state);
    const plan::Tensor decay = runner.input({static_cast<std::int64_t>(bits.size())}, bits);
    global_norm(runner.builder(), gradients, clip, state);
    optimizer_adamw(
        runner.builder(),
        {.weights = weights, .gradients = gradients, .m = m, .v = v, .decay = decay, .norm = state},
        constants);
  }

  OpRunner runner;
  plan::Tensor weights, gradients, m, v, state;
};

TEST(GpuOptimizer, TenClippedStepsMatchTheReference) {
  const AdamW constants{.beta1 = 0.9, .beta2 = 0.95, .eps = 1e-8, .weight_decay = 0.1};
  constexpr double kLearningRate = 3e-3;
  constexpr float kClip = 1.0F;
  for (const std::int64_t n : {1, 63, 64, 1000, 5000}) {
    // The second "parameter" does not decay.
    const std::int64_t boundary = n / 2 / 64 * 64;
    const std::vector<Slice> decayed =
        boundary > 0 ? std::vector<Slice>{{0, boundary}} : std::vector<Slice>{{0, n}};
    const std::int64_t decay_end = decayed[0].count;
    for (const test::CapsVariant& variant : test::caps_variants_folded(kSlicedBytes)) {
      SCOPED_TRACE(testing::Message() << variant.name << ", " << n << " elements");
      const auto count = static_cast<std::size_t>(n);
      const std::vector<float> initial = random_floats(count, 1);
      Update update(variant.caps, n, constants, kClip, decayed, initial);
      std::vector<double> weights = to_double(initial), m(count), v(count);
      for (std::int64_t step = 1; step <= 10; ++step) {
        const std::vector<float> gradients =
            random_floats(count, 10 + static_cast<std::uint64_t>(step), step % 2 == 0 ? 1e-3F : 2.0F);
        update.runner.set(update.gradients, gradients);
        update.runner.run(step_params_at(step, kLearningRate, constants));

        const double norm = reference::global_norm(reference::View(to_double(gradients)));
        const double scale = reference::clip_scale(norm, double{kClip});
        const std::vector<std::uint32_t> state = update.runner.words(update.state);
        EXPECT_NEAR(std::bit_cast<float>(state[0]), norm, 1e-6 * norm);
        EXPECT_NEAR(std::bit_cast<float>(state[1]), scale, 1e-6 * scale);
        EXPECT_EQ(state[2], 0U);
        const std::vector<double> g = to_double(gradients);
        const auto part = [&](std::size_t first, std::size_t size, double decay) {
          const reference::AdamW config{kLearningRate, constants.beta1, constants.beta2, constants.eps,
                                        decay};
          reference::adamw_step(std::span(weights).subspan(first, size), std::span(g).subspan(first, size),
                                std::span(m).subspan(first, size), std::span(v).subspan(first, size), step,
                                config, scale);
        };
        const auto end = static_cast<std::size_t>(decay_end);
        part(0, end, constants.weight_decay);
        part(end, count - end, 0.0);
      }
      expect_close(update.runner.floats(update.weights), weights);
      expect_close(update.runner.floats(update.m), m);
      expect_close(update.runner.floats(update.v), v);
    }
  }
}

TEST(GpuOptimizer, ANonfiniteGradientSkipsTheStepBitForBit) {
  constexpr std::int64_t n = 3000;
  const std::vector<Slice> decayed{{0, n}};
  const std::vector<float> initial = random_floats(n, 1);
  const AdamW constants;
  for (const float poison :
       {std::numeric_limits<float>::quiet_NaN(), std::numeric_limits<float>::infinity(),
        -std::numeric_limits<float>::infinity(), 1e30F}) {  // the last overflows when squared
    for (const test::CapsVariant& variant : test::caps_variants_folded(kSlicedBytes)) {
      SCOPED_TRACE(testing::Message() << variant.name << ", " << poison);
      Update update(variant.caps, n, constants, 1.0F, decayed, initial);
      std::vector<float> gradients = random_floats(n, 2);
      update.runner.set(update.gradients, gradients);
      update.runner.run(step_params_at(1, 1e-2, constants));
      const std::vector<std::uint32_t> weights = update.runner.words(update.weights);
      const std::vector<std::uint32_t> m = update.runner.words(update.m), v = update.runner.words(update.v);

      gradients[2999] = poison;
      update.runner.set(update.gradients, gradients);
      update.runner.run(step_params_at(2, 1e-2, constants));
      EXPECT_EQ(update.runner.words(update.weights), weights);
      EXPECT_EQ(update.runner.words(update.m), m);
      EXPECT_EQ(update.runner.words(update.v), v);
      EXPECT_EQ(update.runner.words(update.state)[2], 1U);
      EXPECT_EQ(update.runner.words(update.state)[3], 1U);

      gradients[2999] = 0.5F;
      update.runner.set(update.gradients, gradients);
      update.runner.run(step_params_at(3, 1e-2, constants));
      EXPECT_NE(update.runner.words(update.weights), weights);
      EXPECT_EQ(update.runner.words(update.state)[2], 0U);
      EXPECT_EQ(update.runner.words(update.state)[3], 1U);
    }
  }
}

TEST(GpuOptimizer, OnlyActiveElementsMove) {
  constexpr std::int64_t n = 2000;
  const std::vector<std::uint32_t> decay = make_decay_bits(n, std::vector<Slice>{{0, n}});
  const std::vector<std::uint32_t> active = make_decay_bits(n, std::vector<Slice>{{128, 300}, {1920, 80}});
  const Shape words{static_cast<std::int64_t>(decay.size())};
  const std::vector<float> initial = random_floats(n, 1), gradients = random_floats(n, 2), zeros(n);
  const AdamW constants;
  for (const test::CapsVariant& variant : test::caps_variants_folded(kSlicedBytes)) {
    SCOPED_TRACE(variant.name);
    // All of it, and the active part only.
    OpRunner runner(variant.caps);
    std::vector<OptimizerAdamW> args(2);
    for (OptimizerAdamW& a : args) {
      a = {.weights = runner.input({n}, initial),
           .gradients = runner.input({n}, gradients),
           .m = runner.input({n}, zeros),
           .v = runner.input({n}, zeros),
           .decay = runner.input(words, decay),
           .norm = runner.input({4}, test::norm_state(1.0F, false))};
    }
    args[1].active = runner.input(words, active);
    for (const OptimizerAdamW& a : args) optimizer_adamw(runner.builder(), a, constants);
    runner.run(step_params_at(1, 1e-2, constants));
    const std::vector<float> all = runner.floats(args[0].weights), part = runner.floats(args[1].weights);
    const std::vector<float> m = runner.floats(args[1].m), v = runner.floats(args[1].v);
    for (std::size_t i = 0; i < n; ++i) {
      const bool owned = (i >= 128 && i < 448) || i >= 1920;  // whole blocks of 64
      EXPECT_NE(all[i], initial[i]);
      EXPECT_EQ(part[i], owned ? all[i] : initial[i]) << i;
      EXPECT_EQ(m[i] != 0.0F && v[i] != 0.0F, owned) << i;
    }
  }
}

TEST(Optimizer, DecayBitsMarkBlocksOf64) {
  const std::vector<Slice> decayed{{0, 65}, {64 * 33, 10}};
  const std::vector<std::uint32_t> bits = make_decay_bits(64 * 40, decayed);
  ASSERT_EQ(bits.size(), 2U);
  EXPECT_EQ(bits[0], 3U);
  EXPECT_EQ(bits[1], 2U);
  EXPECT_THROW(make_decay_bits(640, std::vector<Slice>{{3, 10}}), CheckFailure);
  EXPECT_THROW(make_decay_bits(640, std::vector<Slice>{{64, 577}}), CheckFailure);
}

}  // namespace
}  // namespace vkgpt::ops
