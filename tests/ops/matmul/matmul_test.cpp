#include "vkgpt/ops/matmul/matmul.hpp"

#include <algorithm>
#include <span>
#include <utility>
#include <vector>

#include <gtest/gtest.h>

#include "vkgpt/core/check.hpp"

#include "gpu_context.hpp"
#include "ops/op_runner.hpp"
#include "reference/compare.hpp"
#include "reference/matmul.hpp"

namespace vkgpt::ops {
namespace {

using reference::random_floats;
using reference::to_double;
using reference::Vector;

/// y (M, N) = x (M, K) W^T, W (N, K).
struct Case {
  std::int64_t M, N, K;

  std::size_t x_size() const { return static_cast<std::size_t>(M * K); }
  std::size_t weight_size() const { return static_cast<std::size_t>(N * K); }
  std::size_t y_size() const { return static_cast<std::size_t>(M * N); }
};

std::ostream& operator<<(std::ostream& out, const Case& c) {
  return out << c.M << "x" << c.N << "x" << c.K;
}

// 1 element; odd; one row; even with a tail of k; tile borders +-1; several strips; the widths of small
// models; few long rows.
constexpr Case kCases[] = {{1, 1, 1},       {3, 5, 7},      {1, 384, 128}, {1, 33, 17},   {2, 2, 2},
                           {6, 34, 10},     {17, 33, 65},   {65, 64, 63},  {130, 96, 72}, {16, 32, 8},
                           {128, 384, 128}, {200, 70, 514}, {31, 257, 96}, {5, 70, 516}};

/// GPU-assisted validation makes a pipeline of these kernels take seconds to build: then only what differs in
/// its accesses.
constexpr Case kInstrumentedCases[] = {{1, 33, 17}, {17, 33, 65}, {130, 96, 72}};

bool is_instrumented() {
  return test::shared_context().instance().validation() == vk::ValidationMode::kGpu;
}

/// The scalar backend on the shared device as it is, taken for a GPU and for one of Intel's, without 64-bit
/// integers, and with bindings so small that rows are cut; and one without control of the subgroup size. The
/// other backends as it is and with small bindings.
std::vector<test::CapsVariant> variants(const Case& c) {
  const std::int64_t widest = std::max({c.M, c.N, c.K});
  std::vector<test::CapsVariant> all = test::caps_variants(static_cast<std::uint64_t>(64 * 4 * widest));
  for (test::CapsVariant& variant : all) variant.kernels.matmul = vk::Backend::kScalar;
  const auto add_simt = [&](const char* name, vk::DeviceCaps caps) {
    all.push_back({name, std::move(caps), {.matmul = vk::Backend::kSimt}});
  };
  if (is_instrumented()) {
    all = {all[0], all[2]};
    if (c.M == kInstrumentedCases[2].M) add_simt("simt", all[1].caps);
    return all;
  }
  add_simt("simt", all[0].caps);
  add_simt("simt, sliced", all[2].caps);
  all.push_back({"without int64", all[0].caps, all[0].kernels});
  all.back().caps.shader_int64 = false;
  all.push_back({"without subgroup size control", all[0].caps, all[0].kernels});
  all.back().caps.subgroup_size_control = false;
  all.push_back({"as an Intel GPU", all[1].caps, all[1].kernels});
  all.back().caps.vendor_id = vk::kVendorIntel;
  return all;
}

template <typename Test>
void for_each_case(Test test) {
  const std::span<const Case> cases = is_instrumented() ? std::span<const Case>(kInstrumentedCases) : kCases;
  for (const Case& c : cases) {
    for (const test::CapsVariant& variant : variants(c)) {
      SCOPED_TRACE(testing::Message() << c << ", " << variant.name);
      test(c, variant.target());
    }
  }
}

struct Inputs {
  explicit Inputs(const Case& c)
      : x(random_floats(c.x_size(), 1)),
        weight(random_floats(c.weight_size(), 2)),
        bias(random_floats(static_cast<std::size_t>(c.N), 3)),
        dy(random_floats(c.y_size(), 4, 3.0F)) {}

  std::vector<float> x, weight, bias, dy;
};

Vector reference_forward(const Case& c, const Inputs& in, bool has_bias) {
  const Vector bias = has_bias ? to_double(in.bias) : Vector{};
  return reference::linear_forward(to_double(in.x), to_double(in.weight), bias, static_cast<std::size_t>(c.M),
                                   static_cast<std::size_t>(c.N), static_cast<std::size_t>(c.K));
}

reference::LinearGradients reference_backward(const Case& c, const Inputs& in) {
  return reference::linear_backward(to_double(in.dy), to_double(in.x), to_double(in.weight),
                                    static_cast<std::size_t>(c.M), static_cast<std::size_t>(c.N),
                                    static_cast<std::size_t>(c.K));
}

TEST(GpuMatmul, Forward) {
  for_each_case([](const Case& c, const vk::Target& target) {
    const Inputs in(c);
    for (const bool has_bias : {false, true}) {
      test::OpRunner runner(target);
      LinearForward args{.x = runner.input({c.M, c.K}, in.x),
                         .weight = runner.input({c.N, c.K}, in.weight),
                         .y = runner.output({c.M, c.N})};
      if (has_bias) args.bias = runner.input({c.N}, in.bias);
      linear_forward(runner.builder(), args);
      runner.run();
      reference::expect_close(runner.floats(args.y), reference_forward(c, in, has_bias));
    }
  });
}

TEST(GpuMatmul, ForwardWithGelu) {
  for_each_case([](const Case& c, const vk::Target& target) {
    const Inputs in(c);
    test::OpRunner runner(target);
    const LinearGeluForward args{.x = runner.input({c.M, c.K}, in.x),
                                 .weight = runner.input({c.N, c.K}, in.weight),
                                 .bias = runner.input({c.N}, in.bias),
                                 .pre = runner.output({c.M, c.N}),
                                 .y = runner.output({c.M, c.N})};
    linear_gelu_forward(runner.builder(), args);
    runner.run();
    const Vector pre = reference_forward(c, in, true);
    reference::expect_close(runner.floats(args.pre), pre);
    reference::expect_close(runner.floats(args.y), reference::gelu_forward(pre));
  });
}

// The long one is cut along k on CPU drivers.
TEST(GpuMatmul, AddsToWhatIsThere) {
  const vk::Target native = test::shared_context().target();
  vk::Target simt = native, gpu = native;
  simt.kernels.matmul = vk::Backend::kSimt;
  gpu.caps.type = vk::DeviceType::kDiscrete;
  const std::vector<std::pair<Case, vk::Target>> all = {{{17, 33, 65}, native},
                                                        {{1, 9, 33}, native},
                                                        {{1, 1030, 64}, native},
                                                        {{17, 36, 20}, simt},
                                                        {{1, 9, 33}, gpu}};
  for (const auto& [c, target] : all) {
    if (is_instrumented() && c.N > 33) continue;
    SCOPED_TRACE(testing::Message() << c);
    const Inputs in(c);
    const std::vector<float> old_y = random_floats(c.y_size(), 8), old_dx = random_floats(c.x_size(), 9);
    const std::vector<float> pre = random_floats(c.x_size(), 5, 2.0F);
    test::OpRunner runner(target);
    const plan::Tensor x = runner.input({c.M, c.K}, in.x), weight = runner.input({c.N, c.K}, in.weight);
    const plan::Tensor bias = runner.input({c.N}, in.bias), dy = runner.input({c.M, c.N}, in.dy);
    const plan::Tensor pre_gelu = runner.input({c.M, c.K}, pre);
    const plan::Tensor y = runner.input({c.M, c.N}, old_y);
    const plan::Tensor dx = runner.input({c.M, c.K}, old_dx), dpre = runner.input({c.M, c.K}, old_dx);
    linear_forward(runner.builder(), {.x = x, .weight = weight, .bias = bias, .y = y, .accumulate = true});
    linear_backward_input(runner.builder(), {.dy = dy, .weight = weight, .dx = dx, .accumulate = true});
    linear_backward_input(runner.builder(),
                          {.dy = dy, .weight = weight, .dx = dpre, .pre_gelu = pre_gelu, .accumulate = true});
    runner.run();
    reference::expect_close(runner.floats(y),
                            reference::add(reference_forward(c, in, true), to_double(old_y)));
    const Vector expected = reference_backward(c, in).dx;
    reference::expect_close(runner.floats(dx), reference::add(expected, to_double(old_dx)));
    reference::expect_close(
        runner.floats(dpre),
        reference::add(reference::gelu_backward(expected, to_double(pre)), to_double(old_dx)));
  }
}

TEST(GpuMatmul, GeluWithoutBias) {
  const Case c{1, 9, 33};
  const Inputs in(c);
  test::OpRunner runner;
  const LinearGeluForward args{.x = runner.input({c.M, c.K}, in.x),
                               .weight = runner.input({c.N, c.K}, in.weight),
                               .pre = runner.output({c.M, c.N}),
                               .y = runner.output({c.M, c.N})};
  linear_gelu_forward(runner.builder(), args);
  runner.run();
  const Vector pre = reference_forward(c, in, false);
  reference::expect_close(runner.floats(args.pre), pre);
  reference::expect_close(runner.floats(args.y), reference::gelu_forward(pre));
}

TEST(GpuMatmul, BackwardInput) {
  for_each_case([](const Case& c, const vk::Target& target) {
    const Inputs in(c);
    const std::vector<float> pre = random_floats(c.x_size(), 5, 2.0F);
    const Vector dx = reference_backward(c, in).dx;
    for (const bool has_gelu : {false, true}) {
      test::OpRunner runner(target);
      LinearBackwardInput args{.dy = runner.input({c.M, c.N}, in.dy),
                               .weight = runner.input({c.N, c.K}, in.weight),
                               .dx = runner.output({c.M, c.K})};
      if (has_gelu) args.pre_gelu = runner.input({c.M, c.K}, pre);
      linear_backward_input(runner.builder(), args);
      runner.run();
      reference::expect_close(runner.floats(args.dx),
                              has_gelu ? reference::gelu_backward(dx, to_double(pre)) : dx);
    }
  });
}

TEST(GpuMatmul, BackwardWeightAddsToTheGradients) {
  for_each_case([](const Case& c, const vk::Target& target) {
    const Inputs in(c);
    const std::vector<float> old_dweight = random_floats(c.weight_size(), 6);
    const std::vector<float> old_dbias = random_floats(static_cast<std::size_t>(c.N), 7);
    const reference::LinearGradients expected = reference_backward(c, in);
    for (const bool has_bias : {false, true}) {
      test::OpRunner runner(target);
      LinearBackwardWeight args{.dy = runner.input({c.M, c.N}, in.dy),
                                .x = runner.input({c.M, c.K}, in.x),
                                .dweight = runner.input({c.N, c.K}, old_dweight)};
      if (has_bias) args.dbias = runner.input({c.N}, old_dbias);
      linear_backward_weight(runner.builder(), args);
      runner.run();
      reference::expect_close(runner.floats(args.dweight),
                              reference::add(expected.dweight, to_double(old_dweight)));
      if (has_bias) {
        reference::expect_close(runner.floats(*args.dbias),
                                reference::add(expected.dbias, to_double(old_dbias)));
      }
    }
  });
}

TEST(GpuMatmul, LongSumsKeepTheirPrecision) {
  const Case c{2048, 48, 40};
  const Inputs in(c);
  const reference::LinearGradients expected = reference_backward(c, in);
  test::OpRunner runner;
  const std::vector<float> zeros(c.weight_size(), 0.0F);
  const LinearBackwardWeight args{.dy = runner.input({2, 1024, c.N}, in.dy),
                                  .x = runner.input({2, 1024, c.K}, in.x),
                                  .dweight = runner.input({c.N, c.K}, zeros),
                                  .dbias = runner.input({c.N}, std::vector<float>(48, 0.0F))};
  linear_backward_weight(runner.builder(), args);
  runner.run();
  reference::expect_close(runner.floats(args.dweight), expected.dweight);
  reference::expect_close(runner.floats(*args.dbias), expected.dbias);
  const std::vector<std::uint32_t> first = runner.words(args.dweight);
  runner.set(args.dweight, zeros);
  runner.run();
  EXPECT_EQ(runner.words(args.dweight), first);
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
    flops += dispatch.cost.flops;
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
  const auto stem = [](const vk::Target& target, std::int64_t rows) {
    const plan::Plan plan = plan_of(target, [&](plan::PlanBuilder& builder) {
      linear_forward(builder, {.x = declare(builder, "x", {rows, 768}),
                               .weight = declare(builder, "w", {3072, 768}),
                               .y = declare(builder, "y", {rows, 3072})});
    });
    return plan.segment("op").dispatches.at(0).kernel.stem;
  };
  EXPECT_EQ(stem(gpu, 1), "linear_forward_gemv");
  EXPECT_EQ(stem(gpu, 8), "linear_forward_gemv");
  EXPECT_EQ(stem(gpu, 9), "linear_forward_simt");
  EXPECT_EQ(stem(forced, 1), "linear_forward_simt");
  EXPECT_EQ(stem(cpu, 1), "linear_forward");
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

}  // namespace
}  // namespace vkgpt::ops
