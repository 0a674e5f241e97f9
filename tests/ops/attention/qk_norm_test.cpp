#include "vkgpt/ops/attention/qk_norm.hpp"

#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include <gtest/gtest.h>

#include "vkgpt/core/check.hpp"

#include "gpu_context.hpp"
#include "ops/element_types.hpp"
#include "ops/op_runner.hpp"
#include "reference/compare.hpp"
#include "reference/qk_norm.hpp"

namespace vkgpt::ops {
namespace {

using reference::expect_close;
using reference::random_floats;
using reference::to_double;
using test::OpRunner;

constexpr float kEps = 1e-3F;

struct Size {
  std::int64_t rows, NH, NKV, HS;

  std::int64_t width() const { return (NH + 2 * NKV) * HS; }
  std::size_t elements() const { return static_cast<std::size_t>(rows * width()); }
  reference::AttentionShape reference_shape() const {
    return {.B = 1,
            .T = static_cast<std::size_t>(rows),
            .C = static_cast<std::size_t>(NH * HS),
            .NH = static_cast<std::size_t>(NH),
            .NKV = static_cast<std::size_t>(NKV)};
  }
};

constexpr Size kSizes[] = {{1, 1, 1, 4}, {7, 3, 1, 20}, {64, 4, 2, 32}, {262, 3, 3, 12}, {33, 2, 1, 128}};

/// Of the rounding of results, in variances of what they are.
double bound_of(DType dtype) {
  if (dtype == DType::kF32) return reference::kFp32Nmse;
  return dtype == DType::kF16 ? 1e-6 : 2e-5;
}

class GpuQkNorm : public test::ElementTypeTest {};

TEST_P(GpuQkNorm, ForwardAndBackwardMatchTheReference) {
  const DType dtype = GetParam();
  for (const Size& s : kSizes) {
    const auto heads = static_cast<std::size_t>(s.HS);
    const std::vector<float> x = test::rounded(random_floats(s.elements(), 1, 2.0F), dtype);
    const std::vector<float> dy = test::rounded(random_floats(s.elements(), 2, 2.0F), dtype);
    const std::vector<float> q_weight = random_floats(heads, 3), k_weight = random_floats(heads, 4, 3.0F);
    const std::vector<float> old(heads, 0.5F);
    const reference::AttentionShape shape = s.reference_shape();
    const reference::QkNorm expected =
        reference::qk_norm_forward(to_double(x), to_double(q_weight), to_double(k_weight), shape, kEps);
    reference::QkNormGradients gradients = reference::qk_norm_backward(
        to_double(dy), to_double(x), to_double(q_weight), to_double(k_weight), shape, kEps);
    for (double& value : gradients.dq_weight) value += 0.5;
    for (double& value : gradients.dk_weight) value += 0.5;
    for (const test::CapsVariant& variant :
         test::caps_variants_folded(static_cast<std::uint64_t>(128 * s.width()) * sizeof(float))) {
      SCOPED_TRACE(testing::Message() << variant.name << ", " << s.rows << " rows, HS " << s.HS);
      OpRunner runner(variant.caps);
      const Shape all{s.rows, s.width()};
      const QkNormForward forward{.qkv = runner.input(all, x, dtype),
                                  .q_weight = runner.input({s.HS}, q_weight),
                                  .k_weight = runner.input({s.HS}, k_weight),
                                  .out = runner.output(all, dtype),
                                  .rstd = runner.output({s.rows, s.NH + s.NKV}),
                                  .n_head = s.NH,
                                  .n_kv_head = s.NKV,
                                  .eps = kEps};
      const QkNormBackward backward{.dout = runner.input(all, dy, dtype),
                                    .qkv = forward.qkv,
                                    .q_weight = forward.q_weight,
                                    .k_weight = forward.k_weight,
                                    .rstd = forward.rstd,
                                    .dqkv = runner.output(all, dtype),
                                    .dq_weight = runner.input({s.HS}, old),
                                    .dk_weight = runner.input({s.HS}, old),
                                    .n_head = s.NH,
                                    .n_kv_head = s.NKV};
      qk_norm_forward(runner.builder(), forward);
      qk_norm_backward(runner.builder(), backward);
      runner.run();
      expect_close(runner.floats(forward.out), expected.out, bound_of(dtype));
      expect_close(runner.floats(forward.rstd), expected.rstd);
      expect_close(runner.floats(backward.dqkv), gradients.dqkv, bound_of(dtype));
      expect_close(runner.floats(*backward.dq_weight), gradients.dq_weight);
      expect_close(runner.floats(*backward.dk_weight), gradients.dk_weight);
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Gpu, GpuQkNorm, testing::Values(DType::kF32, DType::kF16, DType::kBF16),
                         [](const auto& type) { return std::string(dtype_name(type.param)); });

TEST(QkNorm, AFrozenWeightCostsNothing) {
  plan::PlanBuilder builder{vk::DeviceCaps{}};
  builder.begin_segment("op");
  const auto tensor = [&](std::string_view name, Shape shape) {
    return builder.persistent(name, std::move(shape), plan::Role::kActivations);
  };
  const auto backward = [&](std::optional<plan::Tensor> dk_weight) {
    qk_norm_backward(builder, {.dout = tensor("dout", {2, 8, 128}),
                               .qkv = tensor("qkv", {2, 8, 128}),
                               .q_weight = tensor("q_weight", {16}),
                               .k_weight = tensor("k_weight", {16}),
                               .rstd = tensor("rstd", {2, 8, 6}),
                               .dqkv = tensor("dqkv", {2, 8, 128}),
                               .dk_weight = std::move(dk_weight),
                               .n_head = 4,
                               .n_kv_head = 2});
  };
  backward({});
  backward(tensor("dk_weight", {16}));
  EXPECT_THROW(backward(tensor("long", {32})), CheckFailure);
  const plan::Plan plan = std::move(builder).finish();
  EXPECT_EQ(plan.segments[0].dispatches.size(), 1U + 3U);
}

}  // namespace
}  // namespace vkgpt::ops
