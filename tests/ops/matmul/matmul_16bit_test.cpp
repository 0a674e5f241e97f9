#include <algorithm>
#include <limits>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include <gtest/gtest.h>

#include "vkgpt/core/check.hpp"
#include "vkgpt/ops/backend.hpp"
#include "vkgpt/ops/matmul/matmul.hpp"

#include "gpu_context.hpp"
#include "ops/op_runner.hpp"
#include "reference/compare.hpp"
#include "reference/matmul.hpp"

namespace vkgpt::ops {
namespace {

using reference::random_floats;
using reference::to_double;
using reference::Vector;
using test::OpRunner;

/// y (M, N) = x (M, K) W^T, W (N, K).
struct Case {
  std::int64_t M, N, K;

  std::size_t x_size() const { return static_cast<std::size_t>(M * K); }
  std::size_t weight_size() const { return static_cast<std::size_t>(N * K); }
  std::size_t y_size() const { return static_cast<std::size_t>(M * N); }
};

// Tails of everything; tails of tiles of words; one row; rows that bindings of kSlicedBytes cut, in each
// role; odd; the kernels that are built fastest.
constexpr Case kTails{8, 70, 42}, kVectors{20, 36, 28}, kOneRow{1, 34, 48}, kSliced{140, 150, 34},
    kOdd{7, 5, 33}, kLeast{1, 8, 48}, kLeastOdd{1, 5, 33};
// Rows of eight: tails in all directions, and none.
constexpr Case kMatrixTails{40, 72, 24}, kMatrixWhole{64, 32, 32};
// That of weight gradients.
constexpr Case kLongK{600, 24, 32};
constexpr std::uint64_t kSlicedBytes = 128 * 4 * 150;

/// Of one rounding to nearest: the mean of squared errors of up to 2^-12 x for f16, 2^-9 x for bf16 where x
/// is a power of 2. A sum kept in 16 bits is beyond.
double nmse_bound(DType dtype) {
  return dtype == DType::kF16 ? 1.2e-7 : 8e-6;
}

struct Variant {
  const char* name;
  Case c;
  vk::Target target;
};

class GpuMatmul16Bit : public testing::TestWithParam<DType> {
 protected:
  void SetUp() override {
    if (!test::stores(DType::kF16)) GTEST_SKIP() << "no 16-bit storage";
    if (is_instrumented() && GetParam() == DType::kBF16) GTEST_SKIP() << "its accesses are those of f16";
  }

  /// By GPU-assisted validation, with which a pipeline of these kernels takes seconds to build.
  static bool is_instrumented() {
    return test::shared_context().instance().validation() == vk::ValidationMode::kGpu;
  }

  /// The kernels on matrices, where the device has them: rows of eight and others, tails and none, panels as
  /// memory has them (NVIDIA).
  static void add_matrices(std::vector<Variant>& variants) {
    vk::Target khr = test::shared_context().target(), nv = khr;
    khr.kernels.matmul = Backend::kKhr;
    nv.kernels.matmul = Backend::kNv;
    variants.push_back({"khr", kMatrixTails, khr});
    variants.push_back({"nv", kMatrixTails, nv});
    if (is_instrumented()) return;
    variants.push_back({"khr, odd and sliced", kSliced, khr});
    variants.back().target.caps.max_storage_buffer_range = kSlicedBytes;
    variants.push_back({"nv, whole tiles", kMatrixWhole, nv});
    khr.caps.vendor_id = vk::kVendorNvidia;
    khr.caps.type = vk::DeviceType::kDiscrete;
    variants.push_back({"khr, as NVIDIA's", kMatrixWhole, khr});
  }

  /// Matrices with K in parts, which fill a large device.
  static std::vector<Variant> split_variants() {
    std::vector<Variant> variants;
    if (is_instrumented() || GetParam() != DType::kF16) return variants;
    for (const Backend backend : {Backend::kKhr, Backend::kNv}) {
      vk::Target target = test::shared_context().target();
      target.caps.type = vk::DeviceType::kDiscrete;
      target.kernels.matmul = backend;
      variants.push_back({"K in parts", kLongK, target});
    }
    return variants;
  }

  /// bf16 differs in conversions alone, and a pipeline takes a CPU driver up to half a second to build.
  template <typename Test>
  static void for_each_variant(Test test) {
    vk::Target native = test::shared_context().target(), gpu = native, sliced = native;
    gpu.caps.type = vk::DeviceType::kDiscrete;
    native.kernels.matmul = gpu.kernels.matmul = sliced.kernels.matmul = vk::Backend::kScalar;
    sliced.caps.max_storage_buffer_range = kSlicedBytes;
    vk::Target simt = native, sliced_simt = sliced;
    simt.kernels.matmul = sliced_simt.kernels.matmul = vk::Backend::kSimt;
    std::vector<Variant> variants{{"native", kTails, native}};
    if (is_instrumented()) {
      variants[0].c = kLeast;
      add_matrices(variants);
    } else if (GetParam() == DType::kF16) {
      variants.push_back({"as a GPU", kTails, gpu});
      variants.push_back({"one row", kOneRow, native});
      variants.push_back({"one row, as a GPU", kOneRow, gpu});
      variants.push_back({"sliced", kSliced, sliced});
      variants.push_back({"simt, sliced", kSliced, sliced_simt});
      add_matrices(variants);
    }
    if (!is_instrumented()) variants.push_back({"simt", kVectors, simt});
    for (const Variant& v : variants) {
      SCOPED_TRACE(v.name);
      test(v.c, v.target);
    }
  }
};

/// What the kernels read: rounded.
struct Inputs {
  Inputs(const Case& c, DType dtype)
      : x(test::rounded(random_floats(c.x_size(), 1), dtype)),
        weight(test::rounded(random_floats(c.weight_size(), 2), dtype)),
        bias(random_floats(static_cast<std::size_t>(c.N), 3)),
        dy(test::rounded(random_floats(c.y_size(), 4, 3.0F), dtype)),
        pre(test::rounded(random_floats(c.x_size(), 5, 2.0F), dtype)),
        old_y(test::rounded(random_floats(c.y_size(), 6), dtype)),
        old_dx(test::rounded(random_floats(c.x_size(), 7, 5.0F), dtype)),
        old_dweight(random_floats(c.weight_size(), 8)) {}

  std::vector<float> x, weight, bias, dy, pre, old_y, old_dx, old_dweight;
};

Vector reference_forward(const Case& c, const Inputs& in, bool has_bias) {
  return reference::linear_forward(to_double(in.x), to_double(in.weight),
                                   has_bias ? to_double(in.bias) : Vector{}, static_cast<std::size_t>(c.M),
                                   static_cast<std::size_t>(c.N), static_cast<std::size_t>(c.K));
}

reference::LinearGradients reference_backward(const Case& c, const Inputs& in) {
  return reference::linear_backward(to_double(in.dy), to_double(in.x), to_double(in.weight),
                                    static_cast<std::size_t>(c.M), static_cast<std::size_t>(c.N),
                                    static_cast<std::size_t>(c.K));
}

TEST_P(GpuMatmul16Bit, Forward) {
  const DType dtype = GetParam();
  for_each_variant([dtype](const Case& c, const vk::Target& target) {
    const Inputs in(c, dtype);
    OpRunner runner(target);
    const plan::Tensor x = runner.input({c.M, c.K}, in.x, dtype);
    const plan::Tensor weight = runner.input({c.N, c.K}, in.weight, dtype);
    const plan::Tensor bias = runner.input({c.N}, in.bias), y = runner.output({c.M, c.N}, dtype);
    const plan::Tensor sum = runner.input({c.M, c.N}, in.old_y, dtype);
    linear_forward(runner.builder(), {.x = x, .weight = weight, .bias = bias, .y = y});
    linear_forward(runner.builder(), {.x = x, .weight = weight, .y = sum, .accumulate = true});
    runner.run();
    reference::expect_close(runner.floats(y), reference_forward(c, in, true), nmse_bound(dtype));
    reference::expect_close(runner.floats(sum),
                            reference::add(reference_forward(c, in, false), to_double(in.old_y)),
                            nmse_bound(dtype));
  });
}

TEST_P(GpuMatmul16Bit, ForwardWithGeluOfTheRoundedSums) {
  if (is_instrumented()) GTEST_SKIP() << "its accesses are those of Forward";
  const DType dtype = GetParam();
  for_each_variant([dtype](const Case& c, const vk::Target& target) {
    const Inputs in(c, dtype);
    OpRunner runner(target);
    const LinearGeluForward args{.x = runner.input({c.M, c.K}, in.x, dtype),
                                 .weight = runner.input({c.N, c.K}, in.weight, dtype),
                                 .bias = runner.input({c.N}, in.bias),
                                 .pre = runner.output({c.M, c.N}, dtype),
                                 .y = runner.output({c.M, c.N}, dtype)};
    linear_gelu_forward(runner.builder(), args);
    runner.run();
    const std::vector<float> pre = runner.floats(args.pre), y = runner.floats(args.y);
    reference::expect_close(pre, reference_forward(c, in, true), nmse_bound(dtype));
    // All but those few whose GELU lies on the edge between two values.
    const std::vector<float> expected =
        test::rounded(reference::to_float(reference::gelu_forward(to_double(pre))), dtype);
    std::size_t others = 0;
    for (std::size_t i = 0; i < y.size(); ++i) others += y[i] == expected[i] ? 0 : 1;
    EXPECT_LE(others, y.size() / 100) << "of " << y.size();
    reference::expect_close(y, to_double(expected), nmse_bound(dtype));
  });
}

TEST_P(GpuMatmul16Bit, BackwardInput) {
  if (is_instrumented()) GTEST_SKIP() << "its accesses are those of SumsOfSlicesStayF32";
  const DType dtype = GetParam();
  for_each_variant([dtype](const Case& c, const vk::Target& target) {
    const Inputs in(c, dtype);
    OpRunner runner(target);
    const plan::Tensor dy = runner.input({c.M, c.N}, in.dy, dtype);
    const plan::Tensor weight = runner.input({c.N, c.K}, in.weight, dtype);
    const plan::Tensor pre = runner.input({c.M, c.K}, in.pre, dtype);
    const plan::Tensor dx = runner.output({c.M, c.K}, dtype), dpre = runner.output({c.M, c.K}, dtype);
    const plan::Tensor sum = runner.input({c.M, c.K}, in.old_dx, dtype);
    linear_backward_input(runner.builder(), {.dy = dy, .weight = weight, .dx = dx});
    linear_backward_input(runner.builder(), {.dy = dy, .weight = weight, .dx = dpre, .pre_gelu = pre});
    linear_backward_input(runner.builder(), {.dy = dy, .weight = weight, .dx = sum, .accumulate = true});
    runner.run();
    const Vector expected = reference_backward(c, in).dx;
    reference::expect_close(runner.floats(dx), expected, nmse_bound(dtype));
    reference::expect_close(runner.floats(dpre), reference::gelu_backward(expected, to_double(in.pre)),
                            nmse_bound(dtype));
    reference::expect_close(runner.floats(sum), reference::add(expected, to_double(in.old_dx)),
                            nmse_bound(dtype));
  });
}

TEST_P(GpuMatmul16Bit, BackwardWeightAddsToF32Gradients) {
  const DType dtype = GetParam();
  const auto test = [dtype](const Case& c, const vk::Target& target) {
    const Inputs in(c, dtype);
    OpRunner runner(target);
    const LinearBackwardWeight args{.dy = runner.input({c.M, c.N}, in.dy, dtype),
                                    .x = runner.input({c.M, c.K}, in.x, dtype),
                                    .dweight = runner.input({c.N, c.K}, in.old_dweight),
                                    .dbias = runner.input({c.N}, in.bias)};
    linear_backward_weight(runner.builder(), args);
    runner.run();
    const reference::LinearGradients expected = reference_backward(c, in);
    reference::expect_close(runner.floats(args.dweight),
                            reference::add(expected.dweight, to_double(in.old_dweight)));
    reference::expect_close(runner.floats(*args.dbias), reference::add(expected.dbias, to_double(in.bias)));
  };
  for_each_variant(test);
  for (const Variant& v : split_variants()) {
    SCOPED_TRACE(testing::Message() << v.name << ", " << vk::backend_name(*v.target.kernels.matmul));
    test(v.c, v.target);
  }
}

// Without pairs. The first product has all kinds of accesses.
TEST_P(GpuMatmul16Bit, OddRows) {
  const DType dtype = GetParam();
  const Case c = is_instrumented() ? kLeastOdd : kOdd;
  const Inputs in(c, dtype);
  OpRunner runner;
  const plan::Tensor dy = runner.input({c.M, c.N}, in.dy, dtype), x = runner.input({c.M, c.K}, in.x, dtype);
  const plan::Tensor weight = runner.input({c.N, c.K}, in.weight, dtype);
  const plan::Tensor pre_gelu = runner.input({c.M, c.K}, in.pre, dtype);
  const plan::Tensor dx = runner.input({c.M, c.K}, in.old_dx, dtype);
  linear_backward_input(runner.builder(),
                        {.dy = dy, .weight = weight, .dx = dx, .pre_gelu = pre_gelu, .accumulate = true});
  std::optional<LinearGeluForward> forward;
  std::optional<LinearBackwardWeight> backward;
  if (dtype == DType::kF16 && !is_instrumented()) {
    forward = {.x = x,
               .weight = weight,
               .bias = runner.input({c.N}, in.bias),
               .pre = runner.output({c.M, c.N}, dtype),
               .y = runner.output({c.M, c.N}, dtype)};
    linear_gelu_forward(runner.builder(), *forward);
    backward = {.dy = dy,
                .x = x,
                .dweight = runner.input({c.N, c.K}, in.old_dweight),
                .dbias = runner.input({c.N}, in.bias)};
    linear_backward_weight(runner.builder(), *backward);
  }
  runner.run();
  const reference::LinearGradients expected = reference_backward(c, in);
  reference::expect_close(
      runner.floats(dx),
      reference::add(reference::gelu_backward(expected.dx, to_double(in.pre)), to_double(in.old_dx)),
      nmse_bound(dtype));
  if (!forward) return;
  const Vector pre = reference_forward(c, in, true);
  reference::expect_close(runner.floats(forward->pre), pre, nmse_bound(dtype));
  reference::expect_close(runner.floats(forward->y),
                          reference::gelu_forward(to_double(runner.floats(forward->pre))), nmse_bound(dtype));
  reference::expect_close(runner.floats(backward->dweight),
                          reference::add(expected.dweight, to_double(in.old_dweight)));
  reference::expect_close(runner.floats(*backward->dbias),
                          reference::add(expected.dbias, to_double(in.bias)));
}

// K of the product is cut, here because bindings are small. What the slices sum up to in between overflows
// f16, and bf16 would lose what is left of it.
TEST_P(GpuMatmul16Bit, SumsOfSlicesStayF32) {
  const DType dtype = GetParam();
  const Case c{1, 384, 150};
  Inputs in(c, dtype);
  for (std::size_t i = 0; i < in.dy.size(); ++i) {
    const std::size_t n = i % static_cast<std::size_t>(c.N);
    in.dy[i] = n < 128 ? 640.0F : n < 256 ? -640.0F : in.dy[i];
  }
  for (std::size_t i = 0; i < in.weight.size(); ++i) {
    if (i / static_cast<std::size_t>(c.K) < 256) in.weight[i] = 2.0F;
  }
  vk::Target sliced = test::shared_context().target();
  sliced.caps.max_storage_buffer_range = kSlicedBytes;
  vk::Target simt = sliced;
  simt.kernels.matmul = vk::Backend::kSimt;
  for (const auto& [adds, on] : {std::pair{false, sliced}, {true, sliced}, {true, simt}}) {
    if (is_instrumented() && on.kernels.matmul) continue;
    OpRunner runner(on);
    const LinearBackwardInput args{
        .dy = runner.input({c.M, c.N}, in.dy, dtype),
        .weight = runner.input({c.N, c.K}, in.weight, dtype),
        .dx = adds ? runner.input({c.M, c.K}, in.old_dx, dtype) : runner.output({c.M, c.K}, dtype),
        .pre_gelu = runner.input({c.M, c.K}, in.pre, dtype),
        .accumulate = adds};
    linear_backward_input(runner.builder(), args);
    runner.run();
    const Vector dpre = reference::gelu_backward(reference_backward(c, in).dx, to_double(in.pre));
    reference::expect_close(runner.floats(args.dx), adds ? reference::add(dpre, to_double(in.old_dx)) : dpre,
                            nmse_bound(dtype));
  }
}

TEST_P(GpuMatmul16Bit, OverflowIsInfinite) {
  if (is_instrumented()) GTEST_SKIP() << "its accesses are those of Forward";
  const DType dtype = GetParam();
  const float large = dtype == DType::kF16 ? 256.0F : 0x1p64F;
  OpRunner runner;
  const std::vector<float> signs{large, large, -large, -large}, values{large, 0.0F, 0.0F, large};
  const LinearForward args{.x = runner.input({2, 2}, signs, dtype),
                           .weight = runner.input({2, 2}, values, dtype),
                           .y = runner.output({2, 2}, dtype)};
  linear_forward(runner.builder(), args);
  runner.run();
  constexpr float kInf = std::numeric_limits<float>::infinity();
  EXPECT_EQ(runner.floats(args.y), (std::vector<float>{kInf, kInf, -kInf, -kInf}));
}

INSTANTIATE_TEST_SUITE_P(Types, GpuMatmul16Bit, testing::Values(DType::kF16, DType::kBF16),
                         [](const auto& param) { return std::string(dtype_name(param.param)); });

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
