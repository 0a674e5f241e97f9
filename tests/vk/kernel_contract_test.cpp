#include "vk/kernel_contract.hpp"

#include <string>

#include <gtest/gtest.h>

#include "vkgpt/core/error.hpp"

namespace vkgpt::vk {
namespace {

/// A kernel with two bindings, 8 bytes of push constants, two constants, the first of which is its width.
SpirvInterface shader() {
  SpirvInterface interface;
  interface.buffers = {{.is_declared = true, .reads = true}, {.is_declared = true, .writes = true}};
  interface.push_bytes = 8;
  interface.spec_ids = {0, 1};
  interface.workgroup[0].spec_id = 0;
  return interface;
}

PipelineKey key() {
  return {.stem = "norm",
          .macros = {{"MEAN", "1"}},
          .spec_constants = {64, 2},
          .subgroup_size = 0,
          .binding_count = 2,
          .push_bytes = 8};
}

std::string difference(const PipelineKey& host, const SpirvInterface& kernel) {
  try {
    check_contract(host, kernel, DeviceCaps{});
  } catch (const Error& error) {
    return error.what();
  }
  return "none";
}

TEST(KernelContract, HoldsWhereHostAndShaderAgree) {
  EXPECT_EQ(difference(key(), shader()), "none");
  PipelineKey whole_subgroups = key();
  whole_subgroups.subgroup_size = 32;
  EXPECT_EQ(difference(whole_subgroups, shader()), "none");
}

TEST(KernelContract, NamesTheBindingsThatDiffer) {
  PipelineKey host = key();
  host.binding_count = 3;
  EXPECT_EQ(difference(host, shader()),
            "kernel norm MEAN=1 [64,2]: its shader has 2 bindings, the host binds 3");
  SpirvInterface kernel = shader();
  kernel.buffers[0].is_declared = false;
  EXPECT_EQ(difference(key(), kernel), "kernel norm MEAN=1 [64,2]: its shader has no binding 0");
}

TEST(KernelContract, NamesThePushConstantsThatDiffer) {
  PipelineKey host = key();
  host.push_bytes = 12;
  EXPECT_EQ(difference(host, shader()),
            "kernel norm MEAN=1 [64,2]: its shader has 8 bytes of push constants, the host pushes 12");
}

TEST(KernelContract, NamesTheLimitOfTheDevice) {
  PipelineKey host = key();
  host.spec_constants = {256, 2};  // where a device allows 128
  EXPECT_EQ(difference(host, shader()),
            "kernel norm MEAN=1 [256,2]: its workgroup has 256 invocations along x, the device allows 128");
  SpirvInterface kernel = shader();
  kernel.workgroup[1].value = 4;
  EXPECT_EQ(difference(key(), kernel),
            "kernel norm MEAN=1 [64,2]: its workgroup has 256 invocations, the device allows 128");
  kernel = shader();
  kernel.shared = {{.bytes = 64, .spec_ids = {}}, {.bytes = 128, .spec_ids = {0, 1}}};
  EXPECT_EQ(
      difference(key(), kernel),
      "kernel norm MEAN=1 [64,2]: its workgroup takes 16448 bytes of shared memory, the device has 16384");
}

TEST(KernelContract, NamesTheSpecializationConstantsThatDiffer) {
  PipelineKey host = key();
  host.spec_constants = {64};
  EXPECT_EQ(difference(host, shader()),
            "kernel norm MEAN=1 [64]: its shader has 2 specialization constants, the host sets 1");
  SpirvInterface kernel = shader();
  kernel.spec_ids = {0, 2};
  EXPECT_EQ(difference(key(), kernel), "kernel norm MEAN=1 [64,2]: its shader has no constant_id 1");
}

TEST(KernelContract, WorkgroupsAreWholeSubgroups) {
  PipelineKey host = key();
  host.subgroup_size = 48;
  EXPECT_EQ(
      difference(host, shader()),
      "kernel norm MEAN=1 [64,2]: its workgroup is 64 invocations wide, no multiple of the subgroup size 48");
}

TEST(KernelContract, TheDeviceHasWhatTheKernelNeeds) {
  SpirvInterface kernel = shader();
  kernel.capabilities = {1, 5433, 6022};
  EXPECT_EQ(difference(key(), kernel),
            "kernel norm MEAN=1 [64,2]: it needs VK_KHR_cooperative_matrix, which the device does not have");
  DeviceCaps caps;
  caps.cooperative_matrices.push_back({16, 16, 16, "f16", "f32"});
  EXPECT_THROW(check_contract(key(), kernel, caps), Error);
  caps.cooperative_matrix2.emplace();
  EXPECT_NO_THROW(check_contract(key(), kernel, caps));
}

}  // namespace
}  // namespace vkgpt::vk
