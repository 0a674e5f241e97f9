#include "vkgpt/ops/dropout.hpp"

#include <vector>

#include <gtest/gtest.h>

#include "vkgpt/core/check.hpp"
#include "vkgpt/core/rng.hpp"

#include "gpu_context.hpp"
#include "ops/op_runner.hpp"
#include "reference/compare.hpp"
#include "reference/dropout.hpp"

namespace vkgpt::ops {
namespace {

using test::OpRunner;

constexpr std::uint64_t kSeed = 0x123456789abcdef0;

StepParams step_of(std::uint32_t dropout_step) {
  StepParams step;
  step.seed_lo = static_cast<std::uint32_t>(kSeed);
  step.seed_hi = static_cast<std::uint32_t>(kSeed >> 32);
  step.dropout_step = dropout_step;
  return step;
}

// From the stream's definition.
std::vector<double> expected_output(const std::vector<float>& x, const Dropout& dropout,
                                    std::uint32_t dropout_step) {
  return reference::dropout_forward(reference::to_double(x), dropout.p, {kSeed, dropout.site, dropout_step});
}

double dropped_share(const std::vector<float>& y) {
  double zeros = 0;
  for (const float value : y) zeros += value == 0.0F ? 1 : 0;
  return zeros / static_cast<double>(y.size());
}

TEST(GpuDropout, MasksFollowFromTheStream) {
  for (const test::CapsVariant& variant : test::caps_variants_folded(4096)) {
    for (const std::int64_t n : {1, 6, 64, 1001, 5003}) {
      SCOPED_TRACE(testing::Message() << variant.name << ", " << n << " elements");
      const std::vector<float> x = reference::random_floats(static_cast<std::size_t>(n), 1, 4.0F);
      const Dropout place{.p = 0.3, .site = 0xabcdef};
      OpRunner runner(variant.caps);
      const plan::Tensor tx = runner.input({n}, x), ty = runner.output({n});
      dropout(runner.builder(), tx, ty, place);
      for (const std::uint32_t step : {0U, 7U}) {
        runner.run(step_of(step));
        reference::expect_close(runner.floats(ty), expected_output(x, place, step));
      }
    }
  }
}

TEST(GpuDropout, PairsOfTypes) {
  if (!test::stores(DType::kF16)) GTEST_SKIP() << "no 16-bit storage";
  constexpr std::int64_t kCount = 1003;
  const Dropout place{.p = 0.5, .site = 3};  // a scale of 2: no rounding but that of the types
  constexpr DType kTypes[] = {DType::kF32, DType::kF16, DType::kBF16};
  for (const DType from : kTypes) {
    for (const DType to : kTypes) {
      if (from != to && from != DType::kF32 && to != DType::kF32) continue;  // no plan mixes the 16-bit types
      SCOPED_TRACE(testing::Message() << dtype_name(from) << " to " << dtype_name(to));
      const std::vector<float> x = test::rounded(reference::random_floats(kCount, 1, 4.0F), from);
      OpRunner runner;
      const plan::Tensor tx = runner.input({kCount}, x, from), ty = runner.output({kCount}, to);
      dropout(runner.builder(), tx, ty, place);
      runner.run(step_of(1));
      const std::vector<float> expected = reference::to_float(expected_output(x, place, 1));
      EXPECT_EQ(runner.floats(ty), test::rounded(expected, to));
    }
  }
}

TEST(GpuDropout, TheShareThatIsDroppedIsP) {
  constexpr std::int64_t kCount = 100000;
  const std::vector<float> ones(kCount, 1.0F);
  OpRunner runner;
  const plan::Tensor x = runner.input({kCount}, ones);
  const plan::Tensor none = runner.output({kCount}), tenth = runner.output({kCount}),
                     other = runner.output({kCount});
  dropout(runner.builder(), x, none, {.p = 0.0, .site = 1});
  dropout(runner.builder(), x, tenth, {.p = 0.1, .site = 1});
  dropout(runner.builder(), x, other, {.p = 0.1, .site = 2});
  runner.run(step_of(0));
  EXPECT_EQ(runner.floats(none), ones);
  EXPECT_NEAR(dropped_share(runner.floats(tenth)), 0.1, 0.004);  // four standard deviations
  EXPECT_NEAR(dropped_share(runner.floats(other)), 0.1, 0.004);
  EXPECT_NE(runner.floats(other), runner.floats(tenth));
}

TEST(Dropout, RefusesWhatIsNoProbability) {
  plan::PlanBuilder builder{vk::DeviceCaps{}};
  builder.begin_segment("op");
  const plan::Tensor x = builder.persistent("x", {4}, plan::Role::kActivations);
  const plan::Tensor y = builder.persistent("y", {4}, plan::Role::kActivations);
  EXPECT_NO_THROW(dropout(builder, x, y, {.p = 0.5}));
  EXPECT_THROW(dropout(builder, x, y, {.p = 1.0}), CheckFailure);
  EXPECT_THROW(dropout(builder, x, y, {.p = -0.1}), CheckFailure);
  EXPECT_THROW(dropout(builder, x, y, {.p = 0.5, .site = 1U << 24}), CheckFailure);
  const plan::Tensor half = builder.persistent("half", {4}, plan::Role::kActivations, DType::kF16);
  EXPECT_THROW(dropout(builder, x, half, {.p = 0.5}), CheckFailure);  // these caps have no 16-bit storage
}

}  // namespace
}  // namespace vkgpt::ops
