#include "vkgpt/ops/optimizer/optimizer_muon.hpp"

#include <algorithm>
#include <cmath>
#include <vector>

#include <gtest/gtest.h>

#include "vkgpt/core/check.hpp"

#include "gpu_context.hpp"
#include "ops/op_runner.hpp"
#include "ops/optimizer/optimizer_run.hpp"
#include "reference/compare.hpp"
#include "reference/muon.hpp"

namespace vkgpt::ops {
namespace {

using reference::random_floats;
using reference::to_double;
using test::OpRunner;

/// Five steps multiply the smallest singular values, and the rounding errors beside them, by up to 3.4445^5 =
/// 485: fp32 cannot keep the 1e-10 of other kernels there.
constexpr double kMuonNmse = 1e-8;
constexpr Muon kMuon{.momentum = 0.95, .weight_decay = 0.1};

/// Wide, tall and square, with gaps, and at offsets that are not aligned. All sizes are odd: then they share
/// the kernels of matmul, which are costly to build with validation in them.
const std::vector<MuonMatrix> kMatrices{{0, 17, 65}, {1109, 65, 17}, {2303, 33, 33}};
constexpr std::int64_t kElements = 3400;
/// A matrix of several slices of so many bytes.
const std::vector<MuonMatrix> kSliced{{65, 135, 131}};
constexpr std::int64_t kSlicedElements = 17800;
constexpr std::uint64_t kSlicedBytes = 64 * 135 * sizeof(float);

struct Update {
  Update(const vk::DeviceCaps& caps, std::int64_t n, std::span<const MuonMatrix> matrices,
         std::span<const float> initial)
      : runner(caps) {
    const std::vector<float> zeros(initial.size());
    weights = runner.input({n}, initial);
    gradients = runner.input({n}, zeros);
    momentum = runner.input({n}, zeros);
    norm = runner.input({4}, test::norm_state(1.0F, false));
    optimizer_muon(runner.builder(),
                   {.weights = weights,
                    .gradients = gradients,
                    .momentum = momentum,
                    .norm = norm,
                    .matrices = matrices},
                   kMuon);
  }

  OpRunner runner;
  plan::Tensor weights, gradients, momentum, norm;
};

void expect_matches_reference(const vk::DeviceCaps& caps, std::int64_t n,
                              std::span<const MuonMatrix> matrices) {
  constexpr double kLearningRate = 0.125;
  const auto count = static_cast<std::size_t>(n);
  const std::vector<float> initial = random_floats(count, 1, 0.05F);
  Update update(caps, n, matrices, initial);
  std::vector<double> weights = to_double(initial), momentum(count);
  for (std::int64_t step = 1; step <= 3; ++step) {
    const float scale = step == 2 ? 0.25F : 1.0F;  // the clip scale
    const std::vector<float> gradients =
        random_floats(count, 10 + static_cast<std::uint64_t>(step), step == 3 ? 1e-5F : 1.0F);
    update.runner.set(update.gradients, gradients);
    update.runner.set(update.norm, test::norm_values(scale, false));
    update.runner.run(test::step_params_at(step, kLearningRate));
    const std::vector<double> g = to_double(gradients);
    for (const MuonMatrix& m : matrices) {
      const auto first = static_cast<std::size_t>(m.offset), size = static_cast<std::size_t>(m.rows * m.cols);
      reference::muon_step(std::span(weights).subspan(first, size), std::span(g).subspan(first, size),
                           std::span(momentum).subspan(first, size), m.rows, m.cols,
                           {kLearningRate, kMuon.momentum, kMuon.weight_decay}, scale);
    }
  }
  // Each matrix by itself, and what lies between them as it was.
  const std::vector<float> actual = update.runner.floats(update.weights);
  const std::vector<float> actual_momentum = update.runner.floats(update.momentum);
  std::vector<bool> is_owned(count);
  for (const MuonMatrix& m : matrices) {
    SCOPED_TRACE(testing::Message() << "(" << m.rows << ", " << m.cols << ")");
    const auto first = static_cast<std::size_t>(m.offset), size = static_cast<std::size_t>(m.rows * m.cols);
    reference::expect_close(std::span(actual).subspan(first, size), std::span(weights).subspan(first, size),
                            kMuonNmse);
    reference::expect_close(std::span(actual_momentum).subspan(first, size),
                            std::span(momentum).subspan(first, size));
    std::fill_n(is_owned.begin() + m.offset, size, true);
  }
  for (std::size_t i = 0; i < count; ++i) {
    if (is_owned[i]) continue;
    EXPECT_EQ(actual[i], initial[i]) << i;
    EXPECT_EQ(actual_momentum[i], 0.0F) << i;
  }
}

TEST(GpuOptimizerMuon, StepsMatchTheReference) {
  for (const test::CapsVariant& variant : test::caps_variants(1 << 20)) {
    SCOPED_TRACE(variant.name);
    expect_matches_reference(variant.caps, kElements, kMatrices);
  }
}

TEST(GpuOptimizerMuon, MatricesBeyondOneDescriptorAreSliced) {
  if (test::shared_context().instance().validation() == vk::ValidationMode::kGpu) {
    GTEST_SKIP()
        << "GPU-assisted validation takes long to build sliced products, which matmul's tests run with it";
  }
  vk::DeviceCaps caps = OpRunner().builder().caps();
  caps.max_storage_buffer_range = kSlicedBytes;
  expect_matches_reference(caps, kSlicedElements, kSliced);
}

TEST(GpuOptimizerMuon, ASkippedStepKeepsEveryBitAndRunsAreEqual) {
  const std::vector<float> initial = random_floats(kElements, 1), gradients = random_floats(kElements, 2);
  std::vector<std::vector<std::uint32_t>> results;
  for (int run = 0; run < 2; ++run) {
    Update update(OpRunner().builder().caps(), kElements, kMatrices, initial);
    update.runner.set(update.gradients, gradients);
    update.runner.run(test::step_params_at(1, 0.02));
    const std::vector<std::uint32_t> weights = update.runner.words(update.weights);
    const std::vector<std::uint32_t> momentum = update.runner.words(update.momentum);
    update.runner.set(update.norm, test::norm_values(1.0F, true));
    update.runner.run(test::step_params_at(2, 0.02));
    EXPECT_EQ(update.runner.words(update.weights), weights);
    EXPECT_EQ(update.runner.words(update.momentum), momentum);
    results.push_back(weights);
  }
  EXPECT_EQ(results[0], results[1]);
}

TEST(GpuOptimizerMuon, AZeroGradientOnlyDecays) {
  const std::vector<float> initial = random_floats(kElements, 1);
  Update update(OpRunner().builder().caps(), kElements, kMatrices, initial);
  update.runner.run(test::step_params_at(1, 0.5));
  const std::vector<float> weights = update.runner.floats(update.weights);
  EXPECT_FLOAT_EQ(weights[0], initial[0] * (1.0F - 0.05F));
}

TEST(ReferenceMuon, BringsSingularValuesNearOne) {
  // A diagonal matrix keeps its form, and its singular values are in sight.
  const std::vector<double> g{3.0, 0.0, 0.0, 0.0, 1.0, 0.0, 0.0, 0.0, 0.2};
  const std::vector<double> x = reference::newton_schulz(g, 3, 3);
  for (std::size_t i = 0; i < 9; ++i) {
    if (i % 4 == 0) {
      EXPECT_NEAR(x[i], 1.0, 0.35);
    } else {
      EXPECT_EQ(x[i], 0.0);
    }
  }
}

TEST(OptimizerMuon, AMatrixOutsideTheArenasIsRefused) {
  plan::PlanBuilder builder{vk::DeviceCaps{}};
  builder.begin_segment("update");
  const plan::Tensor arena = builder.persistent("arena", {64}, plan::Role::kParameters);
  const plan::Tensor norm = builder.persistent("norm", {4}, plan::Role::kStatistics, DType::kU32);
  const std::vector<MuonMatrix> matrices{{32, 8, 5}};
  EXPECT_THROW(
      optimizer_muon(
          builder,
          {.weights = arena, .gradients = arena, .momentum = arena, .norm = norm, .matrices = matrices},
          kMuon),
      CheckFailure);
}

}  // namespace
}  // namespace vkgpt::ops
