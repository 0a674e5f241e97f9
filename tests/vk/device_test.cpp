#include "vkgpt/vk/device.hpp"

#include <algorithm>
#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "vkgpt/vk/result.hpp"

#include "gpu_context.hpp"
#include "support/expect_error.hpp"

namespace vkgpt::vk {
namespace {

PhysicalDevice fake(const std::string& name, DeviceType type, char uuid, const std::string& rejection = "") {
  PhysicalDevice device;
  device.caps.name = name;
  device.caps.type = type;
  device.caps.uuid = std::string(32, uuid);
  device.rejection = rejection;
  return device;
}

const std::vector<PhysicalDevice>& machine() {
  static const std::vector<PhysicalDevice> devices = {
      fake("llvmpipe (LLVM 19)", DeviceType::kCpu, 'a'),
      fake("Old Radeon", DeviceType::kDiscrete, 'b', "lacks the feature timelineSemaphore"),
      fake("Intel Arc Graphics", DeviceType::kIntegrated, 'c'),
      fake("GeForce RTX 4090", DeviceType::kDiscrete, 'd'),
      fake("GeForce RTX 4090 D", DeviceType::kDiscrete, 'e'),
      fake("Radeon RX 7900", DeviceType::kDiscrete, 'f'),
  };
  return devices;
}

std::string chosen(std::string_view selector) {
  return select_device(machine(), selector).caps.uuid.substr(0, 1);
}

TEST(SelectDevice, PrefersDiscreteThenIntegratedThenVirtualThenCpu) {
  EXPECT_EQ(chosen(""), "d");
  const PhysicalDevice cpu = fake("cpu", DeviceType::kCpu, '1');
  const PhysicalDevice guest = fake("guest", DeviceType::kVirtual, '2');
  const PhysicalDevice integrated = fake("integrated", DeviceType::kIntegrated, '3');
  const PhysicalDevice broken = fake("broken", DeviceType::kDiscrete, '4', "has no compute queue");
  EXPECT_EQ(select_device({cpu, broken}, "").caps.name, "cpu");
  EXPECT_EQ(select_device({cpu, guest, broken}, "").caps.name, "guest");
  EXPECT_EQ(select_device({cpu, guest, broken, integrated}, "").caps.name, "integrated");
}

TEST(SelectDevice, TakesIndexUuidOrPartOfTheName) {
  EXPECT_EQ(chosen("0"), "a");
  EXPECT_EQ(chosen("5"), "f");
  EXPECT_EQ(chosen("CCCCCCCC-cccc-cccc-cccc-cccccccccccc"), "c");
  EXPECT_EQ(chosen("arc"), "c");
  EXPECT_EQ(chosen("LLVM"), "a");
  EXPECT_EQ(chosen("7900"), "f");
}

TEST(SelectDevice, PrefersTheWholeNameAndUsableDevices) {
  EXPECT_EQ(chosen("geforce rtx 4090"), "d");
  EXPECT_EQ(chosen("4090 d"), "e");
  EXPECT_EQ(chosen("radeon"), "f");
}

TEST(SelectDevice, UnknownOrAmbiguousIsAUsageErrorThatListsTheDevices) {
  expect_error([] { select_device({fake("llvmpipe (LLVM 19.1.7)", DeviceType::kCpu, 'a')}, "7"); },
               "there is no device 7");
  for (const char* selector : {"voodoo", "4090", "6", "-1"}) {
    try {
      select_device(machine(), selector);
      ADD_FAILURE() << selector;
    } catch (const Error& e) {
      EXPECT_EQ(e.exit_code(), ExitCode::kUsage);
      EXPECT_THAT(e.what(), testing::HasSubstr(selector));
      EXPECT_THAT(e.what(), testing::HasSubstr("3: GeForce RTX 4090;"));
      EXPECT_THAT(e.what(),
                  testing::HasSubstr("1: Old Radeon (unusable: it lacks the feature timelineSemaphore)"));
    }
  }
}

TEST(SelectDevice, RefusesWhatCannotBeUsed) {
  expect_error([] { select_device(machine(), "1"); }, "lacks the feature timelineSemaphore");
  expect_error([] { select_device(machine(), "old"); }, "'Old Radeon' cannot be used");
  expect_error([] { select_device({machine()[1]}, ""); }, "no Vulkan device can be used: 0: Old Radeon");
  expect_error([] { select_device({}, ""); }, "mesa-vulkan-drivers");
}

TEST(Result, CarriesExpressionResultAndLabel) {
  EXPECT_EQ(result_name(VK_ERROR_OUT_OF_DEVICE_MEMORY), "VK_ERROR_OUT_OF_DEVICE_MEMORY");
  EXPECT_NO_THROW(check_result(VK_SUCCESS, "vkDoNothing"));
  const std::string text = expect_error(
      [] { check_result(VK_ERROR_OUT_OF_HOST_MEMORY, "vkMapMemory(x)", "micro_step"); }, "vkMapMemory(x)");
  EXPECT_THAT(text, testing::HasSubstr("VK_ERROR_OUT_OF_HOST_MEMORY"));
  EXPECT_THAT(text, testing::HasSubstr("'micro_step'"));
  EXPECT_THROW(check_result(VK_ERROR_DEVICE_LOST, "vkWaitSemaphores", "update"), DeviceLost);
}

TEST(ValidationMode, Parses) {
  EXPECT_EQ(parse_validation_mode("off"), ValidationMode::kOff);
  EXPECT_EQ(parse_validation_mode("core"), ValidationMode::kCore);
  EXPECT_EQ(parse_validation_mode("sync"), ValidationMode::kSync);
  EXPECT_EQ(parse_validation_mode("gpu"), ValidationMode::kGpu);
  expect_error([] { parse_validation_mode("on"); }, "off, core, sync or gpu");
}

TEST(GpuDevice, CapsMeetTheMinimaOfVulkan13) {
  const DeviceCaps& caps = test::shared_context().caps();
  EXPECT_FALSE(caps.name.empty());
  EXPECT_EQ(caps.uuid.size(), 32u);
  EXPECT_GE(caps.api_version, VK_API_VERSION_1_3);
  EXPECT_GE(caps.min_subgroup_size, 1u);
  EXPECT_LE(caps.min_subgroup_size, caps.subgroup_size);
  EXPECT_LE(caps.subgroup_size, caps.max_subgroup_size);
  EXPECT_GE(caps.max_workgroup_invocations, 128u);
  EXPECT_GE(caps.max_workgroup_count[0], 65535u);
  EXPECT_GE(caps.shared_memory_bytes, 16384u);
  EXPECT_GE(caps.max_push_constant_bytes, 128u);
  EXPECT_GE(caps.max_storage_buffer_range, 1ull << 27);
  EXPECT_LE(caps.storage_buffer_alignment, 256u);
  EXPECT_GE(caps.max_allocation_bytes, 1ull << 30);
  EXPECT_GT(caps.heap_bytes, 0u);
  EXPECT_LE(caps.heap_budget_bytes, caps.heap_bytes);
  for (const CooperativeMatrixShape& shape : caps.cooperative_matrices) {
    EXPECT_GT(shape.m * shape.n * shape.k, 0u);
  }
  if (!caps.cooperative_matrix2) return;
  EXPECT_LE(caps.cooperative_matrix2->max_workgroup_invocations, caps.max_workgroup_invocations);
  for (const FlexibleMatrixShape& shape : caps.cooperative_matrix2->shapes) {
    EXPECT_GT(shape.m * shape.n * shape.k, 0u);
    EXPECT_LE(std::max({shape.m, shape.n, shape.k}), caps.cooperative_matrix2->max_dimension);
    EXPECT_LE(shape.invocations, caps.cooperative_matrix2->max_workgroup_invocations);
  }
}

TEST(GpuDevice, SelectsByItsOwnUuid) {
  const std::vector<PhysicalDevice> devices = enumerate_devices(test::shared_context().instance());
  for (const PhysicalDevice& device : devices) {
    if (!device.rejection.empty()) continue;
    EXPECT_EQ(&select_device(devices, device.caps.uuid), &device);
  }
}

}  // namespace
}  // namespace vkgpt::vk
