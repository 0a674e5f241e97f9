#include "vkgpt/ops/norm.hpp"

#include <vector>

#include <gtest/gtest.h>

#include "vkgpt/core/check.hpp"

#include "ops/element_types.hpp"
#include "ops/op_runner.hpp"
#include "reference/compare.hpp"
#include "reference/layernorm.hpp"
#include "reference/rmsnorm.hpp"

namespace vkgpt::ops {
namespace {

using reference::expect_close;
using reference::random_floats;
using reference::to_double;
using test::OpRunner;

constexpr double kEps = 1e-5;

struct NormSize {
  std::int64_t rows;
  std::int64_t C;
};

constexpr NormSize kSizes[] = {{1, 1},    {70, 1},   {5, 3},   {130, 64},
                               {67, 100}, {33, 128}, {9, 768}, {66, 1025}};

// Rows of one kind with an offset of their own, so that a variance around zero would cancel.
std::vector<float> random_rows(const NormSize& size, std::uint64_t seed) {
  std::vector<float> x = random_floats(static_cast<std::size_t>(size.rows * size.C), seed, 2.0F);
  for (std::size_t i = 0; i < x.size(); ++i) {
    x[i] += static_cast<float>(static_cast<std::int64_t>(i) / size.C % 7) - 3.0F;
  }
  return x;
}

std::vector<test::CapsVariant> variants(const NormSize& size) {
  return test::caps_variants_folded(64 * static_cast<std::uint64_t>(size.C) * sizeof(float));
}

TEST(GpuNorm, ForwardMatchesTheReference) {
  for (const NormSize& size : kSizes) {
    const auto rows = static_cast<std::size_t>(size.rows), C = static_cast<std::size_t>(size.C);
    const std::vector<float> x = random_rows(size, 1), weight = random_floats(C, 2),
                             bias = random_floats(C, 3);
    const reference::Layernorm expected =
        reference::layernorm_forward(to_double(x), to_double(weight), to_double(bias), rows, C);
    for (const test::CapsVariant& variant : variants(size)) {
      SCOPED_TRACE(testing::Message() << variant.name << ", " << rows << " rows of " << C);
      OpRunner runner(variant.caps);
      const Shape shape{1, size.rows, size.C};
      const NormForward args{.x = runner.input(shape, x),
                             .weight = runner.input({size.C}, weight),
                             .bias = runner.input({size.C}, bias),
                             .y = runner.output(shape),
                             .mean = runner.output({size.rows}),
                             .rstd = runner.output({size.rows})};
      norm_forward(runner.builder(), args);
      runner.run();
      expect_close(runner.floats(args.y), expected.y);
      expect_close(runner.floats(*args.mean), expected.mean);
      expect_close(runner.floats(args.rstd), expected.rstd);
    }
  }
}

TEST(GpuNorm, FusedResidualMatchesTheReference) {
  for (const NormSize& size : kSizes) {
    const auto rows = static_cast<std::size_t>(size.rows), C = static_cast<std::size_t>(size.C);
    const std::vector<float> x = random_rows(size, 1), branch = random_rows(size, 4);
    const std::vector<float> weight = random_floats(C, 2), bias = random_floats(C, 3);
    const reference::ResidualLayernorm expected = reference::residual_layernorm_forward(
        to_double(x), to_double(branch), to_double(weight), to_double(bias), rows, C);
    for (const test::CapsVariant& variant : variants(size)) {
      SCOPED_TRACE(testing::Message() << variant.name << ", " << rows << " rows of " << C);
      OpRunner runner(variant.caps);
      const Shape shape{size.rows, size.C};
      const NormForward args{
          .x = runner.input(shape, x),
          .weight = runner.input({size.C}, weight),
          .bias = runner.input({size.C}, bias),
          .y = runner.output(shape),
          .mean = runner.output({size.rows}),
          .rstd = runner.output({size.rows}),
          .residual = NormResidual{.branch = runner.input(shape, branch), .sum = runner.output(shape)}};
      norm_forward(runner.builder(), args);
      runner.run();
      expect_close(runner.floats(args.residual->sum), expected.residual);
      expect_close(runner.floats(args.y), expected.norm.y);
      expect_close(runner.floats(*args.mean), expected.norm.mean);
      expect_close(runner.floats(args.rstd), expected.norm.rstd);
    }
  }
}

// What one backward pass is given; mean and rstd come rounded from a forward pass.
struct BackwardInputs {
  std::vector<float> dy, x, weight, mean, rstd, dresidual, dweight, dbias;
};

BackwardInputs backward_inputs(const NormSize& size) {
  const auto rows = static_cast<std::size_t>(size.rows), C = static_cast<std::size_t>(size.C);
  BackwardInputs in;
  in.x = random_rows(size, 1);
  in.weight = random_floats(C, 2);
  in.dy = random_floats(rows * C, 5, 3.0F);
  in.dresidual = random_floats(rows * C, 6, 2.0F);
  in.dweight = random_floats(C, 7);
  in.dbias = random_floats(C, 8);
  const reference::Layernorm forward =
      reference::layernorm_forward(to_double(in.x), to_double(in.weight), to_double(in.dbias), rows, C);
  in.mean = reference::to_float(forward.mean);
  in.rstd = reference::to_float(forward.rstd);
  return in;
}

NormBackward declare(OpRunner& runner, const NormSize& size, const BackwardInputs& in, bool accumulate) {
  const Shape shape{size.rows, size.C};
  return {.dy = runner.input(shape, in.dy),
          .x = runner.input(shape, in.x),
          .weight = runner.input({size.C}, in.weight),
          .mean = runner.input({size.rows}, in.mean),
          .rstd = runner.input({size.rows}, in.rstd),
          .dx = accumulate ? runner.input(shape, in.dresidual) : runner.output(shape),
          .dweight = runner.input({size.C}, in.dweight),
          .dbias = runner.input({size.C}, in.dbias),
          .accumulate = accumulate};
}

TEST(GpuNorm, BackwardMatchesTheReferenceAndAccumulates) {
  for (const NormSize& size : kSizes) {
    const auto rows = static_cast<std::size_t>(size.rows), C = static_cast<std::size_t>(size.C);
    const BackwardInputs in = backward_inputs(size);
    const reference::LayernormGradients plain =
        reference::layernorm_backward(to_double(in.dy), to_double(in.x), to_double(in.weight),
                                      to_double(in.mean), to_double(in.rstd), rows, C);
    const reference::LayernormGradients fused = reference::residual_layernorm_backward(
        to_double(in.dy), to_double(in.dresidual), to_double(in.x), to_double(in.weight), to_double(in.mean),
        to_double(in.rstd), rows, C);
    for (const test::CapsVariant& variant : variants(size)) {
      for (const bool accumulate : {false, true}) {
        SCOPED_TRACE(testing::Message() << variant.name << ", " << rows << " rows of " << C
                                        << (accumulate ? ", accumulating" : ""));
        OpRunner runner(variant.caps);
        const NormBackward args = declare(runner, size, in, accumulate);
        norm_backward(runner.builder(), args);
        runner.run();
        expect_close(runner.floats(args.dx), accumulate ? fused.dx : plain.dx);
        expect_close(runner.floats(*args.dweight), reference::add(to_double(in.dweight), plain.dweight));
        expect_close(runner.floats(*args.dbias), reference::add(to_double(in.dbias), plain.dbias));
      }
    }
  }
}

TEST(GpuNorm, SameBitsEveryRun) {
  const NormSize size{513, 100};
  const BackwardInputs in = backward_inputs(size);
  for (const test::CapsVariant& variant : variants(size)) {
    std::vector<std::uint32_t> first;
    for (int run = 0; run < 3; ++run) {
      OpRunner runner(variant.caps);
      const NormBackward args = declare(runner, size, in, true);
      norm_backward(runner.builder(), args);
      runner.run();
      const std::vector<std::uint32_t> words = runner.words(*args.dweight);
      if (run == 0) first = words;
      EXPECT_EQ(words, first) << variant.name;
    }
  }
}

// What a norm may leave out, in every element type; one dispatch of each variant.
class GpuNormVariants : public test::ElementTypeTest {};

TEST_P(GpuNormVariants, RmsNormMatchesTheReference) {
  const DType dtype = GetParam();
  for (const NormSize& size : {NormSize{1, 1}, {5, 3}, {130, 64}, {67, 100}, {131, 129}, {9, 768}}) {
    const auto rows = static_cast<std::size_t>(size.rows), C = static_cast<std::size_t>(size.C);
    const std::vector<float> x = random_rows(size, 1), weight = random_floats(C, 2);
    const std::vector<float> branch = test::rounded(random_rows(size, 4), dtype);
    const reference::Vector sum = reference::add(to_double(x), to_double(branch));
    const reference::Rmsnorm plain =
        reference::rmsnorm_forward(to_double(x), to_double(weight), rows, C, kEps);
    const reference::Rmsnorm fused = reference::rmsnorm_forward(sum, to_double(weight), rows, C, kEps);
    for (const test::CapsVariant& variant : test::caps_variants_folded(128 * C * sizeof(float))) {
      SCOPED_TRACE(testing::Message() << variant.name << ", " << rows << " rows of " << C);
      OpRunner runner(variant.caps);
      const Shape shape{size.rows, size.C};
      const NormForward args{.kind = NormKind::kRmsNorm,
                             .x = runner.input(shape, x),
                             .weight = runner.input({size.C}, weight),
                             .y = runner.output(shape, dtype),
                             .rstd = runner.output({size.rows}),
                             .eps = static_cast<float>(kEps)};
      NormForward with_residual = args;
      with_residual.y = runner.output(shape, dtype);
      with_residual.rstd = runner.output({size.rows});
      with_residual.residual =
          NormResidual{.branch = runner.input(shape, branch, dtype), .sum = runner.output(shape)};
      norm_forward(runner.builder(), args);
      norm_forward(runner.builder(), with_residual);
      runner.run();
      expect_close(runner.floats(args.y), plain.y, test::rounded_nmse(dtype));
      expect_close(runner.floats(args.rstd), plain.rstd);
      expect_close(runner.floats(with_residual.residual->sum), sum);
      expect_close(runner.floats(with_residual.y), fused.y, test::rounded_nmse(dtype));
      expect_close(runner.floats(with_residual.rstd), fused.rstd);
    }
  }
}

TEST_P(GpuNormVariants, RmsNormBackwardMatchesTheReference) {
  const DType dtype = GetParam();
  for (const NormSize& size : {NormSize{1, 1}, {5, 3}, {130, 64}, {67, 100}, {131, 129}, {9, 768}}) {
    const auto rows = static_cast<std::size_t>(size.rows), C = static_cast<std::size_t>(size.C);
    BackwardInputs in = backward_inputs(size);
    in.dy = test::rounded(in.dy, dtype);
    in.rstd = reference::to_float(
        reference::rmsnorm_forward(to_double(in.x), to_double(in.weight), rows, C, kEps).rstd);
    const reference::RmsnormGradients expected = reference::rmsnorm_backward(
        to_double(in.dy), to_double(in.x), to_double(in.weight), to_double(in.rstd), rows, C);
    for (const test::CapsVariant& variant : test::caps_variants_folded(128 * C * sizeof(float))) {
      SCOPED_TRACE(testing::Message() << variant.name << ", " << rows << " rows of " << C);
      OpRunner runner(variant.caps);
      const Shape shape{size.rows, size.C};
      const NormBackward args{.kind = NormKind::kRmsNorm,
                              .dy = runner.input(shape, in.dy, dtype),
                              .x = runner.input(shape, in.x),
                              .weight = runner.input({size.C}, in.weight),
                              .rstd = runner.input({size.rows}, in.rstd),
                              .dx = runner.input(shape, in.dresidual),
                              .dweight = runner.input({size.C}, in.dweight),
                              .accumulate = true};
      norm_backward(runner.builder(), args);
      runner.run();
      expect_close(runner.floats(args.dx), reference::add(to_double(in.dresidual), expected.dx));
      expect_close(runner.floats(*args.dweight), reference::add(to_double(in.dweight), expected.dweight));
    }
  }
}

TEST_P(GpuNormVariants, LayerNormWithoutBiasOrParameterGradients) {
  const DType dtype = GetParam();
  const NormSize size{131, 100};
  const std::size_t rows = 131, C = 100;
  BackwardInputs in = backward_inputs(size);
  in.dy = test::rounded(in.dy, dtype);
  const reference::Vector no_bias(C, 0.0);
  const reference::Layernorm forward =
      reference::layernorm_forward(to_double(in.x), to_double(in.weight), no_bias, rows, C);
  const reference::LayernormGradients gradients =
      reference::layernorm_backward(to_double(in.dy), to_double(in.x), to_double(in.weight),
                                    to_double(in.mean), to_double(in.rstd), rows, C);
  for (const bool with_weight : {false, true}) {
    for (const bool with_bias : {false, true}) {
      SCOPED_TRACE(testing::Message() << "dweight " << with_weight << ", dbias " << with_bias);
      OpRunner runner;
      const Shape shape{size.rows, size.C};
      const NormForward forward_args{.x = runner.input(shape, in.x),
                                     .weight = runner.input({size.C}, in.weight),
                                     .y = runner.output(shape, dtype),
                                     .mean = runner.output({size.rows}),
                                     .rstd = runner.output({size.rows})};
      NormBackward args{.dy = runner.input(shape, in.dy, dtype),
                        .x = forward_args.x,
                        .weight = forward_args.weight,
                        .mean = runner.input({size.rows}, in.mean),
                        .rstd = runner.input({size.rows}, in.rstd),
                        .dx = runner.output(shape)};
      if (with_weight) args.dweight = runner.input({size.C}, in.dweight);
      if (with_bias) args.dbias = runner.input({size.C}, in.dbias);
      norm_forward(runner.builder(), forward_args);
      norm_backward(runner.builder(), args);
      runner.run();
      expect_close(runner.floats(forward_args.y), forward.y, test::rounded_nmse(dtype));
      expect_close(runner.floats(args.dx), gradients.dx);
      if (with_weight) {
        expect_close(runner.floats(*args.dweight), reference::add(to_double(in.dweight), gradients.dweight));
      }
      if (with_bias) {
        expect_close(runner.floats(*args.dbias), reference::add(to_double(in.dbias), gradients.dbias));
      }
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Gpu, GpuNormVariants, test::kElementTypes, test::element_type_name);

TEST(Norm, RefusesShapesThatDoNotFit) {
  plan::PlanBuilder builder{vk::DeviceCaps{}};
  builder.begin_segment("op");
  const auto make = [&](const char* name, const Shape& shape) {
    return builder.persistent(name, shape, plan::Role::kActivations);
  };
  NormForward args{.x = make("x", {4, 8}),
                   .weight = make("w", {8}),
                   .bias = make("b", {8}),
                   .y = make("y", {4, 8}),
                   .mean = make("mean", {4}),
                   .rstd = make("rstd", {4})};
  EXPECT_NO_THROW(norm_forward(builder, args));
  args.weight = make("w7", {7});
  EXPECT_THROW(norm_forward(builder, args), CheckFailure);
  args.weight = *args.bias;
  args.mean = make("mean5", {5});
  EXPECT_THROW(norm_forward(builder, args), CheckFailure);
  args.mean = make("mean", {4});
  args.kind = NormKind::kRmsNorm;  // has none
  EXPECT_THROW(norm_forward(builder, args), CheckFailure);
  args.mean.reset();
  EXPECT_NO_THROW(norm_forward(builder, args));
  args.kind = NormKind::kLayerNorm;
  EXPECT_THROW(norm_forward(builder, args), CheckFailure);
}

}  // namespace
}  // namespace vkgpt::ops
