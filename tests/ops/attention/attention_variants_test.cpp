#include <algorithm>
#include <cstdint>
#include <cstring>
#include <optional>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "vkgpt/core/check.hpp"
#include "vkgpt/core/rng.hpp"
#include "vkgpt/ops/attention/attention.hpp"
#include "vkgpt/ops/backend.hpp"

#include "gpu_context.hpp"
#include "ops/attention/attention_case.hpp"
#include "reference/compare.hpp"

namespace vkgpt::ops {
namespace {

using reference::expect_close;
using reference::random_floats;
using reference::to_double;
using test::AttentionCase;
using test::AttentionRun;
using test::OpRunner;

/// Grouped and multi-query heads, and windows shorter and longer than T, of one position and of whole tiles.
constexpr AttentionCase kCases[] = {
    {.B = 2, .T = 33, .NH = 4, .HS = 20, .NKV = 1},
    {.B = 1, .T = 64, .NH = 4, .HS = 24, .NKV = 2},
    {.B = 1, .T = 9, .NH = 2, .HS = 20, .NKV = 2, .window = 16},
    {.B = 1, .T = 131, .NH = 2, .HS = 24, .window = 37},
    {.B = 2, .T = 64, .NH = 1, .HS = 20, .window = 16},
    {.B = 1, .T = 31, .NH = 3, .HS = 24, .NKV = 1},
    {.B = 1, .T = 40, .NH = 4, .HS = 20, .NKV = 2, .window = 1},
    {.B = 2, .T = 70, .NH = 3, .HS = 20, .NKV = 1, .window = 7},
    {.B = 1, .T = 257, .NH = 4, .HS = 24, .NKV = 2, .window = 64},
};

/// The same in 16 bits, and heads of 40, a word of which is loaded by more lanes than there are in one go.
constexpr AttentionCase k16BitCases[] = {
    {.B = 2, .T = 70, .NH = 4, .HS = 40, .NKV = 2, .window = 9},
    {.B = 1, .T = 65, .NH = 4, .HS = 24, .NKV = 2, .window = 40},
    {.B = 2, .T = 33, .NH = 2, .HS = 20},
};

constexpr StepParams kStep{.seed_lo = 0x12345678, .seed_hi = 0x9abcdef0, .dropout_step = 77};

/// The masks of `c.dropout`, drawn on the host.
reference::ProbabilityMask host_mask(const AttentionCase& c) {
  if (c.dropout.p == 0) return {};
  const auto p = static_cast<float>(c.dropout.p);
  const double scale = static_cast<float>(1.0 / (1.0 - c.dropout.p));
  return [site = c.dropout.site, p, scale](std::size_t row, std::size_t key) {
    const RngStream stream{.seed = std::uint64_t{kStep.seed_hi} << 32 | kStep.seed_lo,
                           .purpose = RngPurpose::kDropout,
                           .sub = site,
                           .step = kStep.dropout_step,
                           .index = static_cast<std::uint32_t>(row)};
    const PhiloxCounter words = stream.block(static_cast<std::uint32_t>(key / 4));
    return uniform_float(words[key % 4]) >= p ? scale : 0.0;
  };
}

/// Each set of kernels once: those of CPU drivers with heads of 20 and 40, without 64-bit loads with heads of
/// 20, those of GPUs with heads of 24; none where the device cannot store the elements.
std::vector<test::CapsVariant> kernels_for(const AttentionCase& c) {
  std::vector<test::CapsVariant> variants = test::attention_kernels(c.HS);
  if (!test::stores(c.dtype)) return {};
  if (test::is_gpu_assisted()) return variants;
  if (c.HS == 24) return {variants[1], variants[3]};
  if (c.HS == 40) return {variants[0]};
  if (c.dtype != DType::kF32 || c.dropout.p > 0) return {variants[2]};
  return {variants[0], variants[2]};
}

constexpr const char* kSkipped =
    "kernels take long to compile, instrumented; one with every branch runs with dropout";

/// NMSE of rounded results; that of the gradients adds that row sums are of rounded outputs.
double output_bound(DType dtype) {
  if (dtype == DType::kF32) return reference::kFp32Nmse;
  return dtype == DType::kF16 ? 1e-7 : 6.4e-6;
}
double gradient_bound(DType dtype) {
  if (dtype == DType::kF32) return reference::kFp32Nmse;
  return dtype == DType::kF16 ? 1e-6 : 6.4e-5;
}

void expect_matches_reference(const AttentionCase& c, const std::vector<test::CapsVariant>& variants) {
  const std::vector<float> qkv = test::rounded(random_floats(c.qkv_elements(), 1, 2.0F), c.dtype);
  const std::vector<float> dout = test::rounded(random_floats(c.out_elements(), 2, 3.0F), c.dtype);
  const reference::ProbabilityMask mask = host_mask(c);
  const reference::Attention expected =
      reference::attention_forward(to_double(qkv), c.reference_shape(), mask);
  const reference::Vector dqkv =
      reference::attention_backward(to_double(dout), to_double(qkv), c.reference_shape(), mask);
  for (const test::CapsVariant& variant : variants) {
    SCOPED_TRACE(testing::Message() << variant.name << ", " << c);
    OpRunner runner(variant.target());
    const AttentionRun run(runner, c, qkv, dout);
    runner.run(kStep);
    expect_close(runner.floats(run.out), expected.out, output_bound(c.dtype));
    expect_close(runner.floats(run.lse), expected.lse);
    const std::vector<float> actual = runner.floats(run.dqkv);
    // A query that sees only itself has p = 1 whatever q and k are: no gradient but rounding.
    for (int part = c.window == 1 ? 2 : 0; part < 3; ++part) {
      expect_close(test::part_of(actual, c, part), test::part_of(dqkv, c, part), gradient_bound(c.dtype));
    }
  }
}

void expect_matches_reference(const AttentionCase& c) {
  expect_matches_reference(c, kernels_for(c));
}

TEST(GpuAttentionVariants, GroupsAndWindowsMatchTheReference) {
  for (const AttentionCase& c : kCases) expect_matches_reference(c);
}

TEST(GpuAttentionVariants, SixteenBitsMatchTheReferenceButForTheRounding) {
  if (!test::stores(DType::kF16)) GTEST_SKIP() << "no 16-bit storage";
  for (AttentionCase c : k16BitCases) {
    for (const DType dtype : {DType::kF16, DType::kBF16}) {
      c.dtype = dtype;
      expect_matches_reference(c);
    }
  }
}

/// Rows that a matrix does not divide, several tiles, groups and windows: khr, khr where subgroups share
/// rows, nv.
constexpr AttentionCase kMatrixCases[] = {
    {.B = 2, .T = 70, .NH = 4, .HS = 40, .NKV = 2, .window = 9, .dtype = DType::kF16},
    {.B = 1, .T = 131, .NH = 2, .HS = 48, .NKV = 1, .dtype = DType::kF16},
    {.B = 2, .T = 37, .NH = 4, .HS = 24, .NKV = 2, .window = 21, .dtype = DType::kF16},
    {.B = 1, .T = 67, .NH = 3, .HS = 16, .dtype = DType::kF16},
};

TEST(GpuAttentionVariants, MatricesMatchTheReferenceButForTheRounding) {
  if (!has_backend(test::shared_context().caps(), Backend::kKhr, DType::kF16)) {
    GTEST_SKIP() << "no matrices of 16-bit elements";
  }
  for (const AttentionCase& c : kMatrixCases) {
    if (test::is_gpu_assisted() && c.HS == 48) continue;
    if (const std::optional<test::CapsVariant> variant = test::matrix_kernels(c.HS)) {
      expect_matches_reference(c, {*variant});
    }
  }
}

TEST(GpuAttentionVariants, DroppedProbabilitiesMatchTheReferenceWithMasksOfTheHost) {
  for (AttentionCase c :
       {AttentionCase{.B = 2, .T = 37, .NH = 2, .HS = 20},
        AttentionCase{.B = 2, .T = 65, .NH = 4, .HS = 24, .NKV = 2, .window = 21, .dtype = DType::kF16},
        // Tiles of 2 keys in the backward of CPU drivers.
        AttentionCase{.B = 1, .T = 19, .NH = 2, .HS = 40}}) {
    c.dropout = {.p = 0.3, .site = 1234};
    if (test::is_gpu_assisted() && c.dtype != DType::kF16) continue;  // this case has every branch
    expect_matches_reference(c);
  }
}

TEST(GpuAttentionVariants, SlicesOfSequencesDropTheSame) {
  if (!test::stores(DType::kF16)) GTEST_SKIP() << "no 16-bit storage";
  vk::DeviceCaps caps = test::caps_variants(0)[1].caps;
  // lse has 80 bytes a sequence: only every so many start at an aligned offset.
  caps.storage_buffer_alignment = std::max<std::uint64_t>(64, caps.storage_buffer_alignment);
  const auto granule = static_cast<std::int64_t>(caps.storage_buffer_alignment / 16);
  const AttentionCase c{.B = 2 * granule + 1,
                        .T = 5,
                        .NH = 4,
                        .HS = 24,
                        .NKV = 2,
                        .window = 3,
                        .dtype = DType::kF16,
                        .dropout = {.p = 0.5, .site = 3}};
  const std::vector<float> qkv = random_floats(c.qkv_elements(), 6, 2.0F);
  const std::vector<float> dout = random_floats(c.out_elements(), 7);
  OpRunner whole(caps);
  const AttentionRun expected(whole, c, qkv, dout);
  whole.run(kStep);
  caps.max_storage_buffer_range = static_cast<std::uint64_t>(granule * c.T * c.width()) * 2;
  OpRunner sliced(caps);
  const AttentionRun actual(sliced, c, qkv, dout);
  sliced.run(kStep);
  EXPECT_EQ(sliced.time().size(), 3 * whole.time().size());
  EXPECT_EQ(sliced.words(actual.out), whole.words(expected.out));
  EXPECT_EQ(sliced.words(actual.dqkv), whole.words(expected.dqkv));
}

TEST(GpuAttentionVariants, AWindowAsLongAsTheSequenceIsNone) {
  const AttentionCase full{.B = 1, .T = 33, .NH = 2, .HS = 20};
  AttentionCase windowed = full;
  windowed.window = 33;
  const std::vector<float> qkv = random_floats(full.qkv_elements(), 3, 2.0F);
  const std::vector<float> dout = random_floats(full.out_elements(), 4);
  OpRunner first, second;
  const AttentionRun expected(first, full, qkv, dout), actual(second, windowed, qkv, dout);
  first.run();
  second.run();
  EXPECT_EQ(second.words(actual.out), first.words(expected.out));
  EXPECT_EQ(second.words(actual.dqkv), first.words(expected.dqkv));
}

/// Row t of every sequence of x (B, T, width).
template <typename T>
std::vector<T> rows_at(const std::vector<T>& x, const AttentionCase& c, std::int64_t width, std::int64_t t) {
  std::vector<T> result;
  for (std::int64_t b = 0; b < c.B; ++b) {
    const auto row = x.begin() + (b * c.T + t) * width;
    result.insert(result.end(), row, row + width);
  }
  return result;
}

TEST(GpuAttentionVariants, DecodingAfterAPromptMatchesTheFullPass) {
  constexpr std::int64_t kPrompt = 6;
  for (const AttentionCase& c :
       {AttentionCase{.B = 2, .T = 29, .NH = 4, .HS = 20, .NKV = 2, .window = 9},
        AttentionCase{.B = 1, .T = 40, .NH = 3, .HS = 20, .NKV = 1, .window = 40},
        AttentionCase{.B = 2, .T = 19, .NH = 3, .HS = 20, .NKV = 1, .window = 5, .dtype = DType::kF16},
        AttentionCase{.B = 1, .T = 19, .NH = 2, .HS = 20, .dtype = DType::kBF16}}) {
    if (!test::stores(c.dtype) || (test::is_gpu_assisted() && c.dtype != DType::kF16)) continue;
    const std::vector<float> all = test::rounded(random_floats(c.qkv_elements(), 5, 2.0F), c.dtype);
    const reference::Attention full = reference::attention_forward(to_double(all), c.reference_shape());
    std::vector<float> prompt;
    for (std::int64_t b = 0; b < c.B; ++b) {
      const auto rows = all.begin() + b * c.T * c.width();
      prompt.insert(prompt.end(), rows, rows + kPrompt * c.width());
    }
    std::vector<test::CapsVariant> variants = test::caps_variants(0);
    variants.pop_back();
    for (const test::CapsVariant& variant : variants) {
      SCOPED_TRACE(testing::Message() << variant.name << ", " << c);
      OpRunner runner(variant.target());
      const Shape cache{c.B, c.kv_heads(), c.T, c.HS};
      const AttentionDecode args{
          .qkv = runner.input({c.B, c.width()}, rows_at(all, c, c.width(), kPrompt), c.dtype),
          .k_cache = runner.output(cache, c.dtype),
          .v_cache = runner.output(cache, c.dtype),
          .out = runner.output({c.B, c.C()}, c.dtype),
          .n_head = c.NH,
          .n_kv_head = c.NKV,
          .window = c.window};
      attention_cache_fill(runner.builder(), {.qkv = runner.input({c.B, kPrompt, c.width()}, prompt, c.dtype),
                                              .k_cache = args.k_cache,
                                              .v_cache = args.v_cache,
                                              .n_head = c.NH,
                                              .n_kv_head = c.NKV});
      attention_decode(runner.builder(), args);
      for (std::int64_t t = kPrompt; t < c.T; ++t) {
        SCOPED_TRACE(testing::Message() << "position " << t);
        runner.set(args.qkv, rows_at(all, c, c.width(), t));
        runner.run({.position = static_cast<std::uint32_t>(t)});
        expect_close(runner.floats(args.out), rows_at(full.out, c, c.C(), t), output_bound(c.dtype));
      }
    }
  }
}

/// A GPU with matrices of 16-bit elements.
vk::Target matrix_target(vk::CooperativeMatrixShape matrix, std::uint32_t vendor) {
  vk::DeviceCaps caps;
  caps.vendor_id = vendor;
  caps.subgroup_size_control = caps.shader_f16 = caps.storage_16bit = true;
  caps.min_subgroup_size = 16;
  caps.max_subgroup_size = 64;
  caps.shared_memory_bytes = 49152;
  caps.max_workgroup_invocations = 1024;
  caps.max_workgroup_size = {1024, 1024, 64};
  caps.cooperative_matrices = {std::move(matrix)};
  return {caps, {.attention = Backend::kKhr}};
}

/// The same, and those of workgroups, of which some shared memory is theirs.
vk::Target workgroup_matrix_target(std::uint32_t reserved_bytes) {
  vk::DeviceCaps caps = matrix_target({16, 16, 16, "f16", "f32"}, vk::kVendorNvidia).caps;
  caps.cooperative_matrix2 = {
      .workgroup_scope = true,
      .flexible_dimensions = true,
      .reductions = true,
      .conversions = true,
      .per_element_operations = true,
      .tensor_addressing = true,
      .max_workgroup_invocations = 256,
      .max_dimension = 1024,
      .reserved_shared_memory_bytes = reserved_bytes,
      .shapes = {
          {16, 16, 16, "f16", "f32", 0}, {32, 32, 32, "f16", "f32", 256}, {32, 32, 16, "f16", "f32", 128}}};
  return {caps, {.attention = Backend::kNv}};
}

/// The kernels of a forward and a backward in f16.
std::vector<plan::Kernel> kernels_on(const vk::Target& target, std::int64_t HS, ops::Dropout dropout = {}) {
  plan::PlanBuilder builder{target};
  builder.begin_segment("op");
  const auto tensor = [&](const char* name, Shape shape, DType dtype = DType::kF16) {
    return builder.persistent(name, std::move(shape), plan::Role::kActivations, dtype);
  };
  const plan::Tensor qkv = tensor("qkv", {1, 64, 6 * HS}), out = tensor("out", {1, 64, 2 * HS});
  const plan::Tensor lse = tensor("lse", {1, 2, 64}, DType::kF32);
  attention_forward(builder, {.qkv = qkv, .out = out, .lse = lse, .n_head = 2, .dropout = dropout});
  attention_backward(builder, {.dout = tensor("dout", {1, 64, 2 * HS}),
                               .qkv = qkv,
                               .out = out,
                               .lse = lse,
                               .dqkv = tensor("dqkv", {1, 64, 6 * HS}),
                               .n_head = 2,
                               .dropout = dropout});
  const plan::Plan plan = std::move(builder).finish();
  std::vector<plan::Kernel> kernels;
  for (const plan::Dispatch& dispatch : plan.segments[0].dispatches) kernels.push_back(dispatch.kernel);
  return kernels;
}

/// Those of the forward, of dq and of dk and dv, without "attention_".
std::vector<std::string> stems_on(const vk::Target& target, std::int64_t HS, ops::Dropout dropout = {}) {
  std::vector<std::string> stems;
  for (const plan::Kernel& kernel : kernels_on(target, HS, dropout)) {
    if (!kernel.stem.ends_with("row_sums")) stems.push_back(kernel.stem.substr(std::strlen("attention_")));
  }
  return stems;
}

TEST(AttentionVariants, MatricesAreTakenWhereTheyFitAHead) {
  const std::vector<std::string> khr = {"forward_khr", "backward_dq_khr", "backward_dkv_khr"};
  const std::vector<std::string> others = {"forward", "backward_dq", "backward_dkv"};
  const vk::Target amd = matrix_target({16, 16, 16, "f16", "f32"}, vk::kVendorAmd);
  EXPECT_EQ(stems_on(amd, 64), khr);
  EXPECT_EQ(stems_on(amd, 128), khr);
  EXPECT_EQ(stems_on(matrix_target({8, 16, 16, "f16", "f32"}, vk::kVendorIntel), 64), khr);
  EXPECT_EQ(stems_on(amd, 40), others);
  EXPECT_EQ(stems_on(amd, 64, {.p = 0.1, .site = 1}), others);
  EXPECT_EQ(stems_on(matrix_target({16, 16, 16, "f16", "f16"}, vk::kVendorAmd), 64), others);
}

TEST(AttentionVariants, MatricesOfWorkgroupsTakeWhatSharedMemoryIsLeft) {
  const std::vector<std::string> nv = {"forward_nv", "backward_dq_nv", "backward_dkv_nv"};
  EXPECT_EQ(stems_on(workgroup_matrix_target(0), 64), nv);
  const auto owned_rows = [](std::uint32_t reserved_bytes) {
    const plan::Kernel kernel = kernels_on(workgroup_matrix_target(reserved_bytes), 128)[0];
    return std::ranges::find(kernel.macros, "OWN", &vk::Macro::name)->value;
  };
  EXPECT_EQ(owned_rows(0), "64");
  EXPECT_EQ(owned_rows(8192), "32");
  EXPECT_EQ(stems_on(workgroup_matrix_target(40960), 128)[0], "forward_khr");
}

TEST(AttentionVariants, TheWorkIsThatOfTheWindow) {
  const auto flops = [](std::int64_t window) {
    plan::PlanBuilder builder{vk::DeviceCaps{}};
    builder.begin_segment("op");
    attention_forward(builder, {.qkv = builder.persistent("qkv", {1, 1024, 192}, plan::Role::kActivations),
                                .out = builder.transient("out", {1, 1024, 128}),
                                .lse = builder.transient("lse", {1, 4, 1024}),
                                .n_head = 4,
                                .n_kv_head = 1,
                                .window = window});
    const plan::Plan plan = std::move(builder).finish();
    return plan.segments[0].dispatches.at(0).cost.flops;
  };
  EXPECT_EQ(flops(0), 4ULL * 128 * (1024 * 1025 / 2));
  EXPECT_EQ(flops(0), flops(4096));
  EXPECT_EQ(flops(100), 4ULL * 128 * (100 * 101 / 2 + 924 * 100));
  EXPECT_THROW(flops(-1), CheckFailure);
}

}  // namespace
}  // namespace vkgpt::ops
