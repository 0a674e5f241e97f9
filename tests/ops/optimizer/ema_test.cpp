#include "vkgpt/ops/optimizer/ema.hpp"

#include <bit>
#include <vector>

#include <gtest/gtest.h>

#include "ops/op_runner.hpp"
#include "reference/compare.hpp"
#include "reference/optimizer.hpp"

namespace vkgpt::ops {
namespace {

using reference::random_floats;
using reference::to_double;
using test::OpRunner;

constexpr std::uint64_t kSlicedBytes = 64 * 17 * sizeof(float);

const std::vector<float> kClean(4);
const std::vector<float> kSkip{0.0F, 1.0F, std::bit_cast<float>(1U), 0.0F};

StepParams at_step(std::uint32_t step) {
  StepParams params;
  params.step = step;
  return params;
}

TEST(GpuEma, FollowsTheWeightsAndKeepsEveryBitOfASkippedStep) {
  for (const std::int64_t n : {1, 63, 5001}) {
    for (const double decay : {0.3, 0.9999}) {
      for (const test::CapsVariant& variant : test::caps_variants_folded(kSlicedBytes)) {
        SCOPED_TRACE(testing::Message() << variant.name << ", " << n << " elements, decay " << decay);
        const auto count = static_cast<std::size_t>(n);
        const std::vector<float> initial = random_floats(count, 1);
        OpRunner runner(variant.caps);
        const plan::Tensor ema = runner.input({n}, initial), weights = runner.input({n}, initial);
        const plan::Tensor norm = runner.input({4}, kClean);
        ema_update(runner.builder(), {.ema = ema, .weights = weights, .norm = norm, .decay = decay});
        std::vector<double> expected = to_double(initial);
        for (const std::uint32_t step : {0U, 1U, 2U, 100U, 100000U}) {
          const std::vector<float> w = random_floats(count, 2 + step);
          runner.set(weights, w);
          runner.run(at_step(step));
          reference::ema_step(expected, to_double(w), step, decay);
          reference::expect_close(runner.floats(ema), expected);
        }
        const std::vector<std::uint32_t> before = runner.words(ema);
        runner.set(norm, kSkip);
        runner.run(at_step(3));
        EXPECT_EQ(runner.words(ema), before);
      }
    }
  }
}

TEST(GpuEma, AnAverageEqualToTheWeightsStays) {
  const std::vector<float> w = random_floats(500, 1);
  OpRunner runner;
  const plan::Tensor ema = runner.input({500}, w), weights = runner.input({500}, w);
  ema_update(runner.builder(), {.ema = ema, .weights = weights, .norm = runner.input({4}, kClean)});
  runner.run(at_step(5));
  EXPECT_EQ(runner.floats(ema), w);
}

}  // namespace
}  // namespace vkgpt::ops
