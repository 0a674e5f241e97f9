#include "vkgpt/ops/cross_entropy.hpp"

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>
#include <optional>
#include <vector>

#include <gtest/gtest.h>

#include "vkgpt/core/check.hpp"
#include "vkgpt/ops/fill.hpp"

#include "ops/element_types.hpp"
#include "ops/op_runner.hpp"
#include "reference/compare.hpp"
#include "reference/cross_entropy.hpp"

namespace vkgpt::ops {
namespace {

using reference::expect_close;
using reference::to_double;
using test::OpRunner;

struct CrossEntropySize {
  std::int64_t rows, V, Vp;
};

constexpr CrossEntropySize kSizes[] = {{1, 1, 1},       {3, 5, 64},   {70, 65, 128},    {130, 97, 128},
                                       {5, 1025, 1088}, {66, 64, 64}, {2, 50257, 50304}};

constexpr float kGradScale = 0.37F;

struct Inputs {
  explicit Inputs(const CrossEntropySize& size)
      : logits(reference::random_floats(static_cast<std::size_t>(size.rows * size.Vp), 1, 20.0F)),
        targets(reference::random_tokens(static_cast<std::size_t>(size.rows), 2,
                                         static_cast<std::int32_t>(size.V))) {
    // Padding holds what a masked column must not let through.
    for (std::size_t i = 0; i < logits.size(); ++i) {
      if (static_cast<std::int64_t>(i) % size.Vp >= size.V) logits[i] = 1000.0F;
    }
    for (std::size_t i = 2; i < targets.size(); i += 5) targets[i] = -1;
  }

  std::vector<float> logits;
  std::vector<std::int32_t> targets;
};

TEST(GpuCrossEntropy, LossesAndGradientsMatchTheReference) {
  for (const CrossEntropySize& size : kSizes) {
    const Inputs in(size);
    const auto V = static_cast<std::size_t>(size.V), Vp = static_cast<std::size_t>(size.Vp);
    const reference::CrossEntropy expected =
        reference::cross_entropy_forward(to_double(in.logits), in.targets, V, Vp);
    const reference::Vector dlogits =
        reference::cross_entropy_backward(to_double(in.logits), in.targets, V, Vp, double{kGradScale});
    for (const test::CapsVariant& variant : test::caps_variants_folded(64 * size.Vp * sizeof(float))) {
      SCOPED_TRACE(testing::Message() << variant.name << ", " << size.rows << " rows of " << V << "/" << Vp);
      OpRunner runner(variant.caps);
      const CrossEntropy args{.logits = runner.input({size.rows, size.Vp}, in.logits),
                              .targets = runner.input({size.rows}, in.targets),
                              .losses = runner.output({size.rows}),
                              .V = size.V};
      CrossEntropy only_losses = args;
      only_losses.losses = runner.output({size.rows});
      cross_entropy_forward(runner.builder(), only_losses);
      cross_entropy_fused(runner.builder(), args, kGradScale);
      runner.run();
      expect_close(runner.floats(only_losses.losses), expected.losses);
      expect_close(runner.floats(args.losses), expected.losses);
      expect_close(runner.floats(args.logits), dlogits);
    }
  }
}

class GpuCrossEntropyVariants : public test::ElementTypeTest {};

// Soft cap, label smoothing, z-loss and loss scale, alone and together.
TEST_P(GpuCrossEntropyVariants, MatchTheReference) {
  const DType dtype = GetParam();
  constexpr reference::LossShaping kPlain{}, kCapped{.softcap = 8},
      kShaped{.label_smoothing = 0.1, .z_loss = 0.01},
      kAll{.softcap = 15, .label_smoothing = 0.2, .z_loss = 1e-3};
  const std::vector<std::uint32_t> scale_words{0x44800000, 0, 0, 0};  // 1024
  for (const CrossEntropySize& size : {CrossEntropySize{3, 5, 64}, {130, 97, 128}, {5, 1025, 1088}}) {
    const Inputs in(size);
    const std::vector<float> logits = test::rounded(in.logits, dtype);
    const auto V = static_cast<std::size_t>(size.V), Vp = static_cast<std::size_t>(size.Vp);
    // The element type and the features are independent: 16 bits see none and all of these.
    const std::vector<reference::LossShaping> shapings =
        dtype == DType::kF32 ? std::vector{kCapped, kShaped, kAll} : std::vector{kPlain, kAll};
    for (const reference::LossShaping& shaping : shapings) {
      // Rows that a GPU shares among subgroups: pipelines of their own, for everything at once.
      if (size.V == 1025 && (shaping.softcap == 0 || shaping.z_loss == 0)) continue;
      const bool scaled = shaping.softcap == 8 || shaping.z_loss == 1e-3;
      const double upstream = scaled ? 1024 * double{kGradScale} : double{kGradScale};
      const reference::CrossEntropy plain = reference::cross_entropy_forward(
          to_double(logits), in.targets, V, Vp, {.softcap = shaping.softcap});
      const reference::CrossEntropy objective =
          reference::cross_entropy_forward(to_double(logits), in.targets, V, Vp, shaping);
      const reference::Vector dlogits =
          reference::cross_entropy_backward(to_double(logits), in.targets, V, Vp, upstream, shaping);
      for (const test::CapsVariant& variant : test::caps_variants(128 * Vp * dtype_size(dtype))) {
        SCOPED_TRACE(testing::Message() << variant.name << ", " << size.rows << " rows of " << V << ", cap "
                                        << shaping.softcap << " z-loss " << shaping.z_loss);
        OpRunner runner(variant.caps);
        const CrossEntropy args{.logits = runner.input({size.rows, size.Vp}, logits, dtype),
                                .targets = runner.input({size.rows}, in.targets),
                                .losses = runner.output({size.rows}),
                                .V = size.V,
                                .softcap = shaping.softcap};
        CrossEntropy only_losses = args;
        only_losses.losses = runner.output({size.rows});
        std::optional<plan::Tensor> loss_scale;
        if (scaled) loss_scale = runner.input({4}, scale_words);
        cross_entropy_forward(runner.builder(), only_losses);
        cross_entropy_fused(runner.builder(), args, kGradScale,
                            {.label_smoothing = shaping.label_smoothing, .z_loss = shaping.z_loss},
                            loss_scale);
        runner.run();
        expect_close(runner.floats(only_losses.losses), plain.losses);
        expect_close(runner.floats(args.losses), objective.losses);
        expect_close(runner.floats(args.logits), dlogits, test::rounded_nmse(dtype));
      }
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Gpu, GpuCrossEntropyVariants, test::kElementTypes, test::element_type_name);

// A gradient that f16 cannot hold unscaled: 2^-20 times probabilities of 2^-6.
TEST(GpuCrossEntropyVariantsLimits, TheLossScaleSavesSmallGradientsInF16) {
  if (!test::stores(DType::kF16)) GTEST_SKIP() << "no 16-bit storage";
  const std::vector<float> logits(64, 0.0F);
  const std::vector<std::int32_t> targets{7};
  std::vector<std::uint32_t> scale{0x47800000, 0, 0, 0};  // 2^16
  OpRunner runner;
  const plan::Tensor unscaled = runner.input({1, 64}, logits, DType::kF16);
  const plan::Tensor scaled = runner.input({1, 64}, logits, DType::kF16);
  CrossEntropy args{
      .logits = unscaled, .targets = runner.input({1}, targets), .losses = runner.output({1}), .V = 64};
  cross_entropy_fused(runner.builder(), args, 0x1p-20F);
  args.logits = scaled;
  cross_entropy_fused(runner.builder(), args, 0x1p-20F, {}, runner.input({4}, scale));
  runner.run();
  EXPECT_EQ(runner.floats(unscaled)[0], 0.0F);
  EXPECT_FLOAT_EQ(runner.floats(scaled)[0], 0x1p-10F);
  EXPECT_FLOAT_EQ(runner.floats(args.losses)[0], std::log(64.0F));
}

TEST(GpuCrossEntropy, WorksThroughTheRowsInChunks) {
  const CrossEntropySize size{100, 65, 128};
  const Inputs in(size);
  const reference::CrossEntropy expected =
      reference::cross_entropy_forward(to_double(in.logits), in.targets, 65, 128);
  OpRunner runner;
  const plan::Tensor targets = runner.input({4, 25}, in.targets), losses = runner.output({4, 25});
  for (std::int64_t first = 0; first < size.rows; first += 37) {
    const std::int64_t rows = std::min<std::int64_t>(37, size.rows - first);
    const std::span<const float> chunk = std::span(in.logits).subspan(
        static_cast<std::size_t>(first * size.Vp), static_cast<std::size_t>(rows * size.Vp));
    cross_entropy_fused(runner.builder(),
                        {.logits = runner.input({rows, size.Vp}, chunk),
                         .targets = targets,
                         .losses = losses,
                         .first_row = first,
                         .V = size.V},
                        1.0F);
  }
  runner.run();
  expect_close(runner.floats(losses), expected.losses);
}

TEST(GpuCrossEntropy, ExtremeLogitsStayFinite) {
  const std::vector<float> logits{1e30F, -1e30F, 0,  5,    -1e4F, -1e4F, -1e4F,  -1e4F,
                                  88,    89,     90, 1e4F, 3e38F, 3e38F, -3e38F, 0};
  const std::vector<std::int32_t> targets{0, 1, 3, 1};
  OpRunner runner;
  const CrossEntropy args{.logits = runner.input({4, 4}, logits),
                          .targets = runner.input({4}, targets),
                          .losses = runner.output({4}),
                          .V = 4};
  cross_entropy_fused(runner.builder(), args, 1.0F);
  runner.run();
  expect_close(runner.floats(args.losses), std::vector<double>{0, std::log(4.0), 0, std::log(2.0)});
  // (The reference's log-sum-exp would lose the log beside 3e38.)
  expect_close(runner.floats(args.logits),
               std::vector<double>{0, 0, 0, 0, 0.25, -0.75, 0.25, 0.25, 0, 0, 0, 0, 0.5, -0.5, 0, 0});
}

TEST(GpuCrossEntropy, ANaNReachesTheLoss) {
  std::vector<float> logits(2 * 64, 0.5F);
  logits[70] = std::numeric_limits<float>::quiet_NaN();
  const std::vector<std::int32_t> targets{3, 4};
  OpRunner runner;
  const CrossEntropy args{.logits = runner.input({2, 64}, logits),
                          .targets = runner.input({2}, targets),
                          .losses = runner.output({2}),
                          .V = 64};
  cross_entropy_fused(runner.builder(), args, 1.0F);
  runner.run();
  EXPECT_TRUE(std::isfinite(runner.floats(args.losses)[0]));
  EXPECT_FALSE(std::isfinite(runner.floats(args.losses)[1]));
  EXPECT_FALSE(std::isfinite(runner.floats(args.logits)[70]));
}

TEST(GpuLoss, SumsOverMicroStepsAndTakesTheMean) {
  for (const test::CapsVariant& variant : test::caps_variants_folded(1 << 20)) {
    for (const std::int64_t rows : {1, 5, 64, 3001}) {
      SCOPED_TRACE(testing::Message() << variant.name << ", " << rows << " rows");
      const auto n = static_cast<std::size_t>(rows);
      std::vector<float> losses = reference::random_floats(n, 1, 5.0F);
      std::vector<std::int32_t> targets(n, 7);
      for (std::size_t i = 1; i < n; i += 3)
        targets[i] = -1;  // their losses are 0 in training; here they must not count
      OpRunner runner(variant.caps);
      const plan::Tensor tlosses = runner.input({rows}, losses), ttargets = runner.input({rows}, targets);
      const plan::Tensor accumulator = runner.output({2}, DType::kU32),
                         norm = runner.output({4}, DType::kU32),
                         scale = runner.input({4}, std::vector<std::uint32_t>{0x44800000, 7, 0, 0});
      plan::PlanBuilder& builder = runner.builder();
      fill(builder, norm, 0x3f000000);
      zero(builder, accumulator);
      loss_sum(builder, tlosses, ttargets, accumulator);
      loss_sum(builder, tlosses, ttargets, accumulator);
      loss_mean(builder, accumulator, builder.readback("mean", {8}));
      loss_mean(builder, accumulator, builder.readback("all", {8}), norm, scale);
      runner.run();

      double sum = 0;
      std::uint32_t counted = 0;
      for (std::size_t i = 0; i < n; ++i) {
        if (targets[i] < 0) continue;
        sum += 2 * double{losses[i]};
        counted += 2;
      }
      EXPECT_EQ(runner.words(accumulator)[1], counted);
      const std::vector<float> mean = runner.readback("mean"), all = runner.readback("all");
      EXPECT_NEAR(mean[0], sum / counted, 1e-5);
      EXPECT_EQ(std::vector(mean.begin() + 1, mean.end()), (std::vector<float>{0, 0, 0, 1, 0, 0, 0}));
      EXPECT_EQ(all[0], mean[0]);
      EXPECT_EQ(all[1], 0.5F);
      EXPECT_EQ(all[2], 0.5F);
      EXPECT_EQ(all[4], 1024.0F);
    }
  }
}

TEST(GpuLoss, WithoutACountedRowTheMeanIsZero) {
  OpRunner runner;
  const plan::Tensor accumulator = runner.output({2}, DType::kU32);
  zero(runner.builder(), accumulator);
  loss_mean(runner.builder(), accumulator, runner.builder().readback("mean", {8}));
  runner.run();
  EXPECT_EQ(runner.readback("mean")[0], 0.0F);
}

TEST(CrossEntropy, RefusesRowsBeyondTheTargets) {
  plan::PlanBuilder builder{vk::DeviceCaps{}};
  builder.begin_segment("op");
  CrossEntropy args{.logits = builder.persistent("logits", {4, 64}, plan::Role::kActivations),
                    .targets = builder.persistent("targets", {6}, plan::Role::kInputs, DType::kI32),
                    .losses = builder.persistent("losses", {6}, plan::Role::kActivations),
                    .first_row = 2,
                    .V = 60};
  EXPECT_NO_THROW(cross_entropy_forward(builder, args));
  args.first_row = 3;
  EXPECT_THROW(cross_entropy_forward(builder, args), CheckFailure);
  args.first_row = 0;
  args.V = 65;
  EXPECT_THROW(cross_entropy_forward(builder, args), CheckFailure);
  args.V = 60;
  EXPECT_THROW(cross_entropy_fused(builder, args, 1, {.label_smoothing = 1}), CheckFailure);
  EXPECT_THROW(cross_entropy_fused(builder, args, 1, {.z_loss = -1}), CheckFailure);
  args.softcap = -1;
  EXPECT_THROW(cross_entropy_forward(builder, args), CheckFailure);
}

}  // namespace
}  // namespace vkgpt::ops
