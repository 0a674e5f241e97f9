#include "vkgpt/ops/optimizer/global_norm.hpp"

#include <bit>
#include <cmath>
#include <limits>
#include <vector>

#include <gtest/gtest.h>

#include "ops/op_runner.hpp"
#include "reference/compare.hpp"
#include "reference/optimizer.hpp"

namespace vkgpt::ops {
namespace {

using test::OpRunner;

TEST(GpuGlobalNorm, MatchesTheReferenceAndScalesOnlyDown) {
  for (const test::CapsVariant& variant : test::caps_variants_folded(65536)) {
    for (const std::int64_t n : {1, 65, 4096, 100003}) {
      const std::vector<float> g = reference::random_floats(static_cast<std::size_t>(n), 1);
      const double norm = reference::global_norm(reference::View(reference::to_double(g)));
      for (const double clip : {0.0, 0.1, 1.0, 1e6}) {
        SCOPED_TRACE(testing::Message() << variant.name << ", " << n << " elements, clip " << clip);
        OpRunner runner(variant.caps);
        const std::vector<std::uint32_t> zeros(4);
        const plan::Tensor state = runner.input({4}, zeros);
        global_norm(runner.builder(), runner.input({n}, g), static_cast<float>(clip), state);
        runner.run();
        const std::vector<std::uint32_t> words = runner.words(state);
        EXPECT_NEAR(std::bit_cast<float>(words[0]), norm, 1e-6 * norm);
        const double scale = reference::clip_scale(norm, clip);
        EXPECT_NEAR(std::bit_cast<float>(words[1]), scale, 1e-6 * scale);
        EXPECT_EQ(words[2], 0U);

        runner.run();  // the same bits every time
        EXPECT_EQ(runner.words(state), words);
      }
    }
  }
}

TEST(GpuGlobalNorm, ALossThatIsNotFiniteSetsTheFlag) {
  for (const float loss :
       {1.5F, std::numeric_limits<float>::quiet_NaN(), std::numeric_limits<float>::infinity()}) {
    const std::vector<float> g{0.5F, 0.25F};
    const std::vector<std::uint32_t> zeros(4), accumulated{std::bit_cast<std::uint32_t>(loss), 1};
    OpRunner runner;
    const plan::Tensor state = runner.input({4}, zeros), accumulator = runner.input({2}, accumulated);
    global_norm(runner.builder(), runner.input({2}, g), 1.0F, state, accumulator);
    runner.run();
    EXPECT_EQ(runner.words(state)[2], std::isfinite(loss) ? 0U : 1U) << loss;
  }
}

TEST(GpuGlobalNorm, TakesTheLossScaleOff) {
  constexpr std::int64_t n = 2500;
  const std::vector<float> g = reference::random_floats(n, 1);
  std::vector<float> scaled = g;
  for (float& value : scaled) value *= 1024.0F;
  for (const test::CapsVariant& variant : test::caps_variants_folded(4096)) {
    for (const float clip : {0.0F, 1.0F, 1e6F}) {
      SCOPED_TRACE(testing::Message() << variant.name << ", clip " << clip);
      const std::vector<std::uint32_t> zeros(4), scale{std::bit_cast<std::uint32_t>(1024.0F), 7, 0, 0};
      OpRunner runner(variant.caps);
      const plan::Tensor plain = runner.input({4}, zeros), state = runner.input({4}, zeros);
      const plan::Tensor loss_scale = runner.input({4}, scale);
      global_norm(runner.builder(), runner.input({n}, g), clip, plain);
      global_norm(runner.builder(), runner.input({n}, scaled), clip, state, {}, loss_scale);
      runner.run();
      const std::vector<std::uint32_t> expected = runner.words(plain), actual = runner.words(state);
      EXPECT_EQ(actual[0], expected[0]);  // a power of two changes no mantissa
      EXPECT_EQ(std::bit_cast<float>(actual[1]), std::bit_cast<float>(expected[1]) / 1024.0F);
      EXPECT_EQ(actual[2], 0U);
      EXPECT_EQ(runner.words(loss_scale), scale);
    }
  }
}

}  // namespace
}  // namespace vkgpt::ops
