#include "vkgpt/ops/global_norm.hpp"

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

}  // namespace
}  // namespace vkgpt::ops
