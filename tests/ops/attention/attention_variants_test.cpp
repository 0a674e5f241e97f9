#include <algorithm>
#include <cstdint>
#include <cstring>
#include <string>
#include <utility>
#include <vector>

#include <gtest/gtest.h>

#include "vkgpt/core/check.hpp"
#include "vkgpt/ops/attention/attention.hpp"
#include "vkgpt/ops/backend.hpp"

namespace vkgpt::ops {
namespace {

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

TEST(AttentionVariants, LargeHeadsSpareRegistersWhereThereAreFew) {
  vk::Target intel = matrix_target({8, 8, 16, "f16", "f32"}, vk::kVendorIntel);
  intel.caps.min_subgroup_size = 8;
  intel.kernels.attention = Backend::kSimt;
  // LANES, and whether dq's and dk and dv's kernels hold own rows and keep tiles in registers.
  const auto choices = [&](std::int64_t HS, ops::Dropout dropout = {}) {
    std::vector<std::string> all;
    for (const plan::Kernel& kernel : kernels_on(intel, HS, dropout)) {
      if (!kernel.stem.starts_with("attention_backward_d")) continue;
      std::string& choice = all.emplace_back();
      for (const char* name : {"LANES", "HELD", "KEPT"})
        choice += std::ranges::find(kernel.macros, name, &vk::Macro::name)->value + " ";
    }
    return all;
  };
  using Choices = std::vector<std::string>;
  EXPECT_EQ(choices(64), (Choices{"128 1 1 ", "128 1 1 "}));
  EXPECT_EQ(choices(128, {.p = 0.1, .site = 1}), (Choices{"128 1 1 ", "128 1 0 "}));
  EXPECT_EQ(choices(160), (Choices{"128 1 0 ", "128 1 0 "}));
  EXPECT_EQ(choices(256), (Choices{"128 0 0 ", "128 0 0 "}));
  intel.caps.shared_memory_bytes = 16384;
  EXPECT_EQ(choices(256), (Choices{"32 0 0 ", "32 0 0 "}));
  intel.caps.min_subgroup_size = 32;
  EXPECT_EQ(choices(256), (Choices{"128 1 1 ", "128 1 1 "}));
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
