#include "vkgpt/ops/matmul/matmul.hpp"

#include <utility>
#include <vector>

#include <gtest/gtest.h>

#include "vkgpt/check/definitions.hpp"
#include "vkgpt/core/check.hpp"

#include "gpu_context.hpp"
#include "ops/op_runner.hpp"

namespace vkgpt::ops {
namespace {

// GELU is that of `pre` as it was stored, which the backward reads; but for those few values on the edge
// between two roundings.
TEST(GpuMatmul, GeluIsThatOfTheRoundedSums) {
  if (!test::stores(DType::kF16)) GTEST_SKIP() << "no 16-bit storage";
  for (const DType dtype : {DType::kF16, DType::kBF16}) {
    test::OpRunner runner;
    const std::vector<float> x = check::random_floats(8 * 42, 1), weight = check::random_floats(70 * 42, 2);
    const LinearGeluForward args{.x = runner.input({8, 42}, x, dtype),
                                 .weight = runner.input({70, 42}, weight, dtype),
                                 .pre = runner.output({8, 70}, dtype),
                                 .y = runner.output({8, 70}, dtype)};
    linear_gelu_forward(runner.builder(), args);
    runner.run();
    const std::vector<float> pre = runner.floats(args.pre), y = runner.floats(args.y);
    const std::vector<float> expected =
        check::rounded(check::to_float(check::gelu_forward(check::to_double(pre))), dtype);
    std::size_t others = 0;
    for (std::size_t i = 0; i < y.size(); ++i) others += y[i] == expected[i] ? 0 : 1;
    EXPECT_LE(others, y.size() / 100) << "of " << y.size();
  }
}

/// Dispatches that `append` puts into a plan of a device with these limits.
template <typename Append>
plan::Plan plan_of(const vk::Target& target, Append append) {
  plan::PlanBuilder builder(target);
  builder.begin_segment("op");
  append(builder);
  return std::move(builder).finish();
}

plan::Tensor declare(plan::PlanBuilder& builder, const char* name, Shape shape) {
  return builder.persistent(name, std::move(shape), plan::Role::kActivations);
}

// GPT-2's embedding has 154 MB; a descriptor of lavapipe covers 128 MiB.
TEST(Matmul, CutsTheHeadOfGpt2IntoSlices) {
  const std::int64_t rows = 128, C = 768, Vp = 50304;
  const plan::Plan plan = plan_of({}, [&](plan::PlanBuilder& builder) {
    const plan::Tensor x = declare(builder, "x", {rows, C}), wte = declare(builder, "wte", {Vp, C});
    const plan::Tensor logits = declare(builder, "logits", {rows, Vp});
    const plan::Tensor dx = declare(builder, "dx", {rows, C}), dwte = declare(builder, "dwte", {Vp, C});
    linear_forward(builder, {.x = x, .weight = wte, .y = logits});
    linear_backward_input(builder, {.dy = logits, .weight = wte, .dx = dx});
    linear_backward_weight(builder, {.dy = logits, .x = x, .dweight = dwte});
  });
  std::uint64_t flops = 0;
  for (const plan::Dispatch& dispatch : plan.segment("op").dispatches) {
    if (!dispatch.kernel.stem.ends_with("_reduce")) flops += dispatch.cost.flops;  // sums of a split K
    EXPECT_LE(dispatch.cost.flops, 10'000'000'000);
    for (const plan::Binding& binding : dispatch.bindings) EXPECT_LE(binding.size, 1u << 27);
  }
  EXPECT_EQ(flops, 3u * 2u * static_cast<std::uint64_t>(rows * C * Vp));
}

TEST(Matmul, GpusTakeAFewRowsAtTheSpeedOfReadingTheWeight) {
  vk::Target gpu;
  gpu.caps.max_workgroup_invocations = gpu.caps.max_workgroup_size[0] = 256;
  vk::Target cpu = gpu, forced = gpu;
  cpu.caps.type = vk::DeviceType::kCpu;
  forced.kernels.matmul = vk::Backend::kSimt;
  const auto stem = [](const vk::Target& target, std::int64_t rows, ByRows by_rows = ByRows::kNo) {
    const plan::Plan plan = plan_of(target, [&](plan::PlanBuilder& builder) {
      linear_forward(builder, {.x = declare(builder, "x", {rows, 768}),
                               .weight = declare(builder, "w", {3072, 768}),
                               .y = declare(builder, "y", {rows, 3072}),
                               .by_rows = by_rows});
    });
    return plan.segment("op").dispatches.at(0).kernel.stem;
  };
  EXPECT_EQ(stem(gpu, 1), "linear_forward_gemv");
  EXPECT_EQ(stem(gpu, 8), "linear_forward_gemv");
  EXPECT_EQ(stem(gpu, 9), "linear_forward_simt");
  EXPECT_EQ(stem(forced, 1), "linear_forward_simt");
  EXPECT_EQ(stem(cpu, 1), "linear_forward");
  // Whose bits may not depend on the number of rows: any number, whatever is wished for.
  EXPECT_EQ(stem(gpu, 200, ByRows::kFew), "linear_forward_gemv");
  EXPECT_EQ(stem(forced, 200, ByRows::kFew), "linear_forward_gemv");
  EXPECT_EQ(stem(cpu, 200, ByRows::kFew), "linear_forward");
  for (const std::int64_t rows : {1, 16, 200}) {
    EXPECT_EQ(stem(gpu, rows, ByRows::kMany), "linear_forward_simt");
    EXPECT_EQ(stem(cpu, rows, ByRows::kMany), "linear_forward");
  }
}

TEST(Matmul, RejectsShapesThatDoNotFit) {
  const auto forward = [](Shape x, Shape weight, Shape y, Shape bias) {
    plan_of({}, [&](plan::PlanBuilder& builder) {
      linear_forward(builder, {.x = declare(builder, "x", x),
                               .weight = declare(builder, "w", weight),
                               .bias = declare(builder, "bias", bias),
                               .y = declare(builder, "y", y)});
    });
  };
  EXPECT_NO_THROW(forward({2, 4, 6}, {5, 6}, {8, 5}, {5}));
  EXPECT_THROW(forward({2, 4, 6}, {5, 7}, {8, 5}, {5}), CheckFailure);
  EXPECT_THROW(forward({2, 4, 6}, {5, 6}, {8, 6}, {5}), CheckFailure);
  EXPECT_THROW(forward({2, 4, 6}, {5, 6}, {7, 5}, {5}), CheckFailure);
  EXPECT_THROW(forward({2, 4, 6}, {5, 6}, {8, 5}, {6}), CheckFailure);
}

TEST(Matmul16Bit, RejectsMixedTypesAndDevicesWithout16BitStorage) {
  const auto forward = [](bool has_storage, DType x, DType weight, DType y, DType bias) {
    vk::DeviceCaps caps;
    caps.storage_16bit = has_storage;
    plan::PlanBuilder builder(caps);
    builder.begin_segment("op");
    const auto declare = [&](const char* name, DType dtype, Shape shape) {
      return builder.persistent(name, std::move(shape), plan::Role::kActivations, dtype);
    };
    linear_forward(builder, {.x = declare("x", x, {4, 8}),
                             .weight = declare("w", weight, {6, 8}),
                             .bias = declare("b", bias, {6}),
                             .y = declare("y", y, {4, 6})});
  };
  constexpr DType kF32 = DType::kF32, kF16 = DType::kF16, kBF16 = DType::kBF16;
  EXPECT_NO_THROW(forward(false, kF32, kF32, kF32, kF32));
  EXPECT_NO_THROW(forward(true, kF16, kF16, kF16, kF32));
  EXPECT_THROW(forward(false, kF16, kF16, kF16, kF32), CheckFailure);
  EXPECT_THROW(forward(true, kF16, kBF16, kF16, kF32), CheckFailure);
  EXPECT_THROW(forward(true, kF16, kF16, kF32, kF32), CheckFailure);
  EXPECT_THROW(forward(true, kF32, kF16, kF32, kF32), CheckFailure);
  EXPECT_THROW(forward(true, kF16, kF16, kF16, kF16), CheckFailure);
  EXPECT_THROW(forward(true, DType::kU32, DType::kU32, DType::kU32, kF32), CheckFailure);
}

}  // namespace
}  // namespace vkgpt::ops
