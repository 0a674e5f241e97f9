#include "vkgpt/ops/optimizer/grad_stats.hpp"

#include <algorithm>
#include <cmath>
#include <limits>
#include <vector>

#include <gtest/gtest.h>

#include "vkgpt/core/check.hpp"
#include "vkgpt/ops/launch.hpp"

#include "gpu_context.hpp"
#include "ops/op_runner.hpp"
#include "reference/compare.hpp"

namespace vkgpt::ops {
namespace {

using test::OpRunner;

struct Expected {
  double norm = 0;
  float largest = 0;
  float nans = 0;
  float infs = 0;
};

Expected expected_of(std::span<const float> values) {
  Expected e;
  for (const float x : values) {
    if (std::isnan(x)) {
      e.nans += 1;
    } else if (std::isinf(x)) {
      e.infs += 1;
    } else {
      e.norm += double{x} * x;
      e.largest = std::max(e.largest, std::abs(x));
    }
  }
  e.norm = std::sqrt(e.norm);
  return e;
}

TEST(GpuGradStats, EachViewOfAnArenaHasItsRow) {
  constexpr float kNaN = std::numeric_limits<float>::quiet_NaN(),
                  kInf = std::numeric_limits<float>::infinity();
  const std::vector<Slice> ranges{{0, 1}, {64, 100}, {192, 64}, {256, 7001}, {7296, 320}};
  std::vector<float> arena = reference::random_floats(7616, 1, 3.0F);
  arena[70] = kNaN;
  arena[71] = -kNaN;
  arena[200] = -kInf;
  arena[300] = kInf;
  arena[7256] = kNaN;  // the last element of the long one
  for (std::size_t i = 7296; i < 7616; ++i) arena[i] = 0.0F;

  for (const test::CapsVariant& variant : test::caps_variants_folded(2048)) {
    OpRunner runner(variant.caps);
    const plan::Tensor whole = runner.input({7616}, arena);
    std::vector<plan::Tensor> tensors;
    for (const Slice range : ranges)
      tensors.push_back(runner.builder().view(whole, range.first, {range.count}));
    const plan::Tensor result = runner.output({static_cast<std::int64_t>(ranges.size()), 4});
    grad_stats(runner.builder(), tensors, result);
    runner.run();
    const std::vector<float> rows = runner.floats(result);
    for (std::size_t i = 0; i < ranges.size(); ++i) {
      SCOPED_TRACE(testing::Message() << variant.name << ", tensor " << i);
      const Expected e = expected_of(std::span(arena).subspan(static_cast<std::size_t>(ranges[i].first),
                                                              static_cast<std::size_t>(ranges[i].count)));
      EXPECT_NEAR(rows[4 * i], e.norm, 1e-6 * e.norm);
      EXPECT_EQ(rows[4 * i + 1], e.largest);
      EXPECT_EQ(rows[4 * i + 2], e.nans);
      EXPECT_EQ(rows[4 * i + 3], e.infs);
    }
  }
}

TEST(GpuGradStats, Of16BitActivations) {
  if (!test::stores(DType::kF16)) GTEST_SKIP() << "no 16-bit storage";
  for (const DType dtype : {DType::kF16, DType::kBF16}) {
    for (const test::CapsVariant& variant : test::caps_variants_folded(2048)) {
      SCOPED_TRACE(testing::Message() << variant.name << ", " << dtype_name(dtype));
      std::vector<float> values = reference::random_floats(3001, 1, 300.0F);
      values[1] = std::numeric_limits<float>::quiet_NaN();
      values[3000] = -std::numeric_limits<float>::infinity();
      const Expected e = expected_of(test::rounded(values, dtype));
      OpRunner runner(variant.caps);
      const std::vector<plan::Tensor> tensors{runner.input({3001}, values, dtype)};
      const plan::Tensor result = runner.output({1, 4});
      grad_stats(runner.builder(), tensors, result);
      runner.run();
      const std::vector<float> row = runner.floats(result);
      EXPECT_NEAR(row[0], e.norm, 1e-6 * e.norm);
      EXPECT_EQ(row[1], e.largest);
      EXPECT_EQ(row[2], 1.0F);
      EXPECT_EQ(row[3], 1.0F);
    }
  }
}

TEST(GradStats, RefusesAResultOfAnotherSize) {
  plan::PlanBuilder builder{vk::DeviceCaps{}};
  builder.begin_segment("op");
  const std::vector<plan::Tensor> tensors{builder.persistent("g", {64}, plan::Role::kGradients)};
  EXPECT_THROW(grad_stats(builder, tensors, builder.readback("stats", {2, 4})), CheckFailure);
}

}  // namespace
}  // namespace vkgpt::ops
