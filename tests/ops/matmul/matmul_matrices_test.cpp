#include <string>
#include <utility>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "vkgpt/ops/backend.hpp"
#include "vkgpt/ops/matmul/matmul.hpp"
#include "vkgpt/vk/kernel_record.hpp"

#include "gpu_context.hpp"

namespace vkgpt::ops {
namespace {

using plan::Dispatch;
using testing::Contains;
using testing::HasSubstr;
using testing::Not;

struct Extents {
  std::int64_t M, N, K;
};

/// What is appended for y (M, N) = x (M, K) W^T on a device with these limits.
std::vector<Dispatch> forward(const vk::Target& target, const Extents& e, DType dtype = DType::kF16) {
  plan::PlanBuilder builder(target);
  builder.begin_segment("op");
  const auto declare = [&](const char* name, Shape shape) {
    return builder.persistent(name, std::move(shape), plan::Role::kActivations, dtype);
  };
  linear_forward(
      builder,
      {.x = declare("x", {e.M, e.K}), .weight = declare("w", {e.N, e.K}), .y = declare("y", {e.M, e.N})});
  return std::move(builder).finish().segment("op").dispatches;
}

/// The same for dW (N, K) += dy^T x.
std::vector<Dispatch> backward_weight(const vk::Target& target, const Extents& e) {
  plan::PlanBuilder builder(target);
  builder.begin_segment("op");
  const auto declare = [&](const char* name, Shape shape, DType dtype) {
    return builder.persistent(name, std::move(shape), plan::Role::kActivations, dtype);
  };
  linear_backward_weight(builder, {.dy = declare("dy", {e.M, e.N}, DType::kF16),
                                   .x = declare("x", {e.M, e.K}, DType::kF16),
                                   .dweight = declare("dw", {e.N, e.K}, DType::kF32)});
  return std::move(builder).finish().segment("op").dispatches;
}

std::string forward_stem(const vk::Target& target, std::int64_t M, DType dtype) {
  return forward(target, {M, 256, 256}, dtype).at(0).kernel.stem;
}

vk::Target gpu(std::uint32_t vendor_id) {
  vk::Target target;
  vk::DeviceCaps& caps = target.caps;
  caps.vendor_id = vendor_id;
  caps.storage_16bit = caps.shader_f16 = caps.subgroup_size_control = true;
  caps.max_workgroup_invocations = 1024;
  caps.max_workgroup_size = {1024, 1024, 64};
  caps.shared_memory_bytes = 48 << 10;
  caps.max_storage_buffer_range = 1ull << 32;
  caps.cooperative_matrices = {{16, 8, 8, "f16", "f32"}, {16, 16, 16, "f16", "f32"}};
  return target;
}

vk::CooperativeMatrix2 matrices_of_workgroups() {
  return {
      .workgroup_scope = true,
      .flexible_dimensions = true,
      .reductions = true,
      .conversions = true,
      .per_element_operations = true,
      .tensor_addressing = true,
      .block_loads = false,
      .max_workgroup_invocations = 256,
      .max_dimension = 256,
      .reserved_shared_memory_bytes = 0,
      .shapes = {
          {16, 16, 16, "f16", "f32", 0}, {32, 16, 16, "f16", "f32", 128}, {32, 32, 16, "f16", "f32", 256}}};
}

TEST(MatmulMatrices, AreTakenWhereTheDeviceHasThem) {
  vk::Target target = gpu(vk::kVendorNvidia);
  EXPECT_EQ(forward_stem(target, 64, DType::kF16), "linear_forward_khr");
  for (const auto& [M, dtype] : {std::pair{64, DType::kF32}, {64, DType::kBF16}, {1, DType::kF16}}) {
    EXPECT_THAT(forward_stem(target, M, dtype), Not(HasSubstr("_khr"))) << M << " " << dtype_name(dtype);
  }
  vk::Target intel = gpu(vk::kVendorIntel);
  intel.caps.min_subgroup_size = 8;  // before Xe2
  EXPECT_THAT(forward_stem(intel, 64, DType::kF16), HasSubstr("_simt"));
  intel.caps.min_subgroup_size = 16;
  EXPECT_EQ(forward_stem(intel, 64, DType::kF16), "linear_forward_khr");
  target.caps.cooperative_matrix2 = matrices_of_workgroups();
  EXPECT_EQ(forward_stem(target, 64, DType::kF16), "linear_forward_khr");
  target.kernels.measured[std::string(vk::kTestedKey)] = "2026-11-27";
  EXPECT_EQ(forward_stem(target, 64, DType::kF16), "linear_forward_nv");
  target.kernels.disabled = {"matmul nv"};
  EXPECT_EQ(forward_stem(target, 64, DType::kF16), "linear_forward_khr");
  target.kernels.measured.clear();
  target.kernels.disabled = {"matmul khr"};
  EXPECT_EQ(forward_stem(target, 64, DType::kF16), "linear_forward_nv");
  target.caps.cooperative_matrix2->tensor_addressing = false;
  EXPECT_THAT(forward_stem(target, 64, DType::kF16), HasSubstr("_simt"));
  target.kernels.matmul = Backend::kKhr;
  EXPECT_EQ(forward_stem(target, 64, DType::kF16), "linear_forward_khr");
  target.caps.cooperative_matrices.clear();
  EXPECT_THAT(forward_stem(target, 64, DType::kF16), Not(HasSubstr("_khr")));
}

TEST(MatmulMatrices, HaveTilesOfTheVendor) {
  vk::Target nvidia = gpu(vk::kVendorNvidia), amd = gpu(vk::kVendorAmd);
  const Extents large{4096, 2048, 512};
  EXPECT_THAT(forward(nvidia, large).at(0).kernel.macros,
              testing::AllOf(Contains(vk::Macro{"BM", "128"}), Contains(vk::Macro{"SN", "64"}),
                             Contains(vk::Macro{"TRANSPOSES", "0"}), Contains(vk::Macro{"K_TAIL", "0"})));
  amd.caps.subgroup_size = amd.caps.max_subgroup_size = 64;
  amd.caps.min_subgroup_size = 32;
  const Dispatch on_amd = forward(amd, large).at(0);
  EXPECT_THAT(on_amd.kernel.macros,
              testing::AllOf(Contains(vk::Macro{"BM", "128"}), Contains(vk::Macro{"LANES", "32"}),
                             Contains(vk::Macro{"BUFFERS", "1"}), Contains(vk::Macro{"TRANSPOSES", "1"})));
  EXPECT_EQ(on_amd.kernel.subgroup_size, 32U);
  EXPECT_EQ(on_amd.groups, (std::array<std::uint32_t, 3>{16, 32, 1}));
  amd.caps.min_subgroup_size = 64;
  EXPECT_THAT(forward(amd, large).at(0).kernel.macros,
              testing::AllOf(Contains(vk::Macro{"LANES", "64"}), Contains(vk::Macro{"BUFFERS", "2"})));
  nvidia.caps.cooperative_matrix2 = matrices_of_workgroups();
  nvidia.kernels.matmul = Backend::kNv;
  EXPECT_THAT(forward(nvidia, large).at(0).kernel.macros,
              testing::AllOf(Contains(vk::Macro{"BM", "128"}), Contains(vk::Macro{"BN", "256"}),
                             Contains(vk::Macro{"INVOCATIONS", "256"}), Contains(vk::Macro{"TAILS", "0"})));
  EXPECT_THAT(forward(nvidia, {100, 60, 50}).at(0).kernel.macros,
              testing::AllOf(Contains(vk::Macro{"TAILS", "1"}), Contains(vk::Macro{"WIDE", "0"})));
}

TEST(MatmulMatrices, WeightGradientsHaveKInParts) {
  for (const bool has_nv : {false, true}) {
    vk::Target target = gpu(vk::kVendorNvidia);
    if (has_nv) {
      target.caps.cooperative_matrix2 = matrices_of_workgroups();
      target.kernels.matmul = Backend::kNv;
    }
    const std::vector<Dispatch> dispatches = backward_weight(target, {16384, 256, 256});
    ASSERT_EQ(dispatches.size(), 2U);
    EXPECT_GT(dispatches.front().groups[2], 1U);
    EXPECT_EQ(dispatches.front().kernel.stem,
              has_nv ? "linear_backward_weight_nv" : "linear_backward_weight_khr");
    EXPECT_EQ(dispatches.back().kernel.stem, "linear_backward_weight_reduce");
  }
}

TEST(GpuMatmulMatrices, AreThoseThatAreForced) {
  for (const Backend backend : {Backend::kKhr, Backend::kNv}) {
    vk::Target target = test::shared_context().target();
    if (!has_backend(target.caps, backend, DType::kF16)) GTEST_SKIP() << "the device has no matrices";
    target.kernels.matmul = backend;
    EXPECT_EQ(forward_stem(target, 64, DType::kF16),
              std::string("linear_forward_") + std::string(vk::backend_name(backend)));
  }
}

}  // namespace
}  // namespace vkgpt::ops
