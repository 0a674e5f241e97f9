#include "vkgpt/ops/optimizer/optimizer_lion.hpp"

#include <vector>

#include <gtest/gtest.h>

#include "vkgpt/ops/optimizer/optimizer.hpp"

#include "ops/op_runner.hpp"
#include "ops/optimizer/optimizer_run.hpp"
#include "reference/compare.hpp"
#include "reference/optimizer.hpp"

namespace vkgpt::ops {
namespace {

using reference::random_floats;
using reference::to_double;
using test::OpRunner;

constexpr std::uint64_t kSlicedBytes = 64 * 17 * sizeof(float);
constexpr Lion kLion{.beta1 = 0.9, .beta2 = 0.99, .weight_decay = 0.1};

/// An arena of `n` elements of which those of `decayed` decay and those of `active` are Lion's.
struct Update {
  Update(const vk::DeviceCaps& caps, std::int64_t n, std::span<const Slice> decayed,
         std::span<const Slice> active, std::span<const float> initial)
      : runner(caps) {
    const std::vector<float> zeros(initial.size());
    const std::vector<std::uint32_t> decay = make_decay_bits(n, decayed), owned = make_decay_bits(n, active);
    const Shape words{static_cast<std::int64_t>(decay.size())};
    weights = runner.input({n}, initial);
    gradients = runner.input({n}, zeros);
    m = runner.input({n}, zeros);
    norm = runner.input({4}, test::norm_state(1.0F, false));
    OptimizerLion args{.weights = weights,
                       .gradients = gradients,
                       .m = m,
                       .decay = runner.input(words, decay),
                       .norm = norm};
    if (!active.empty()) args.active = runner.input(words, owned);
    optimizer_lion(runner.builder(), args, kLion);
  }

  OpRunner runner;
  plan::Tensor weights, gradients, m, norm;
};

TEST(GpuOptimizerLion, ClippedStepsMatchTheReference) {
  constexpr double kLearningRate = 1e-2;
  for (const std::int64_t n : {1, 65, 5000}) {
    const std::int64_t boundary = n / 2 / 64 * 64;
    const std::vector<Slice> decayed =
        boundary > 0 ? std::vector<Slice>{{0, boundary}} : std::vector<Slice>{{0, n}};
    const auto end = static_cast<std::size_t>(decayed[0].count);
    for (const test::CapsVariant& variant : test::caps_variants_folded(kSlicedBytes)) {
      SCOPED_TRACE(testing::Message() << variant.name << ", " << n << " elements");
      const auto count = static_cast<std::size_t>(n);
      const std::vector<float> initial = random_floats(count, 1);
      Update update(variant.caps, n, decayed, {}, initial);
      std::vector<double> weights = to_double(initial), m(count);
      for (std::int64_t step = 1; step <= 10; ++step) {
        const float scale = step % 2 == 0 ? 0.25F : 1.0F;  // the clip scale
        const std::vector<float> gradients = random_floats(count, 10 + static_cast<std::uint64_t>(step));
        update.runner.set(update.gradients, gradients);
        update.runner.set(update.norm, test::norm_values(scale, false));
        update.runner.run(test::step_params_at(step, kLearningRate));
        const std::vector<double> g = to_double(gradients);
        const auto part = [&](std::size_t first, std::size_t size, double decay) {
          reference::lion_step(std::span(weights).subspan(first, size), std::span(g).subspan(first, size),
                               std::span(m).subspan(first, size),
                               {static_cast<float>(kLearningRate), kLion.beta1, kLion.beta2, decay}, scale);
        };
        part(0, end, kLion.weight_decay);
        part(end, count - end, 0.0);
      }
      reference::expect_close(update.runner.floats(update.weights), weights);
      reference::expect_close(update.runner.floats(update.m), m);
    }
  }
}

TEST(GpuOptimizerLion, AZeroGradientMovesNothingAndASkippedStepKeepsEveryBit) {
  constexpr std::int64_t n = 3000;
  const std::vector<float> initial = random_floats(n, 1);
  Update update(OpRunner().builder().caps(), n, {}, {}, initial);
  update.runner.run(test::step_params_at(1, 1e-2));
  EXPECT_EQ(update.runner.floats(update.weights), initial);  // sign(0) = 0, nothing decays

  std::vector<float> gradients = random_floats(n, 2);
  update.runner.set(update.gradients, gradients);
  update.runner.run(test::step_params_at(2, 1e-2));
  const std::vector<std::uint32_t> weights = update.runner.words(update.weights);
  const std::vector<std::uint32_t> m = update.runner.words(update.m);
  EXPECT_NE(update.runner.floats(update.weights), initial);
  update.runner.set(update.norm, test::norm_values(1.0F, true));
  update.runner.run(test::step_params_at(3, 1e-2));
  EXPECT_EQ(update.runner.words(update.weights), weights);
  EXPECT_EQ(update.runner.words(update.m), m);
}

TEST(GpuOptimizerLion, ElementsOfOtherOptimizersStay) {
  constexpr std::int64_t n = 2000;
  const std::vector<Slice> active{{128, 300}, {1920, 80}};
  const std::vector<float> initial = random_floats(n, 1);
  for (const test::CapsVariant& variant : test::caps_variants_folded(kSlicedBytes)) {
    SCOPED_TRACE(variant.name);
    Update update(variant.caps, n, {}, active, initial);
    update.runner.set(update.gradients, random_floats(n, 2));
    update.runner.run(test::step_params_at(1, 1e-2));
    const std::vector<float> weights = update.runner.floats(update.weights),
                             m = update.runner.floats(update.m);
    for (std::size_t i = 0; i < n; ++i) {
      const bool owned = (i >= 128 && i < 448) || i >= 1920;  // whole blocks of 64
      EXPECT_EQ(weights[i] != initial[i], owned) << i;
      EXPECT_EQ(m[i] != 0.0F, owned) << i;
    }
  }
}

}  // namespace
}  // namespace vkgpt::ops
