#include "vkgpt/vk/physical_device.hpp"

#include <algorithm>
#include <cmath>
#include <mutex>
#include <optional>
#include <span>
#include <string_view>

#include "vkgpt/core/format.hpp"
#include "vkgpt/vk/result.hpp"

#include "vk/features.hpp"
#include "vk/loader_lists.hpp"

namespace vkgpt::vk {
namespace {

DeviceType device_type(VkPhysicalDeviceType type) {
  switch (type) {
    case VK_PHYSICAL_DEVICE_TYPE_DISCRETE_GPU:
      return DeviceType::kDiscrete;
    case VK_PHYSICAL_DEVICE_TYPE_INTEGRATED_GPU:
      return DeviceType::kIntegrated;
    case VK_PHYSICAL_DEVICE_TYPE_VIRTUAL_GPU:
      return DeviceType::kVirtual;
    case VK_PHYSICAL_DEVICE_TYPE_CPU:
      return DeviceType::kCpu;
    default:
      return DeviceType::kOther;
  }
}

std::string hex(std::span<const std::uint8_t> bytes) {
  std::string text;
  for (const std::uint8_t byte : bytes) text += vkgpt::format("{:02x}", byte);
  return text;
}

std::string component_name(VkComponentTypeKHR type) {
  switch (type) {
    case VK_COMPONENT_TYPE_FLOAT16_KHR:
      return "f16";
    case VK_COMPONENT_TYPE_FLOAT32_KHR:
      return "f32";
    case VK_COMPONENT_TYPE_FLOAT64_KHR:
      return "f64";
    case VK_COMPONENT_TYPE_SINT8_KHR:
      return "s8";
    case VK_COMPONENT_TYPE_SINT16_KHR:
      return "s16";
    case VK_COMPONENT_TYPE_SINT32_KHR:
      return "s32";
    case VK_COMPONENT_TYPE_UINT8_KHR:
      return "u8";
    case VK_COMPONENT_TYPE_UINT16_KHR:
      return "u16";
    case VK_COMPONENT_TYPE_UINT32_KHR:
      return "u32";
#ifdef VK_KHR_shader_bfloat16
    case VK_COMPONENT_TYPE_BFLOAT16_KHR:
      return "bf16";
#endif
    default:
      return "";
  }
}

std::vector<CooperativeMatrixShape> cooperative_shapes(VkPhysicalDevice device) {
  std::uint32_t count = 0;
  VK_CHECK(vkGetPhysicalDeviceCooperativeMatrixPropertiesKHR(device, &count, nullptr));
  VkCooperativeMatrixPropertiesKHR blank{};
  blank.sType = VK_STRUCTURE_TYPE_COOPERATIVE_MATRIX_PROPERTIES_KHR;
  std::vector<VkCooperativeMatrixPropertiesKHR> properties(count, blank);
  VK_CHECK(vkGetPhysicalDeviceCooperativeMatrixPropertiesKHR(device, &count, properties.data()));
  std::vector<CooperativeMatrixShape> shapes;
  for (const VkCooperativeMatrixPropertiesKHR& p : properties) {
    const bool usable = p.scope == VK_SCOPE_SUBGROUP_KHR && p.AType == p.BType && p.CType == p.ResultType &&
                        !p.saturatingAccumulation;
    const std::string ab = component_name(p.AType);
    const std::string result = component_name(p.ResultType);
    if (!usable || ab.empty() || result.empty()) continue;
    shapes.push_back({p.MSize, p.NSize, p.KSize, ab, result});
  }
  return shapes;
}

std::vector<FlexibleMatrixShape> flexible_shapes(VkPhysicalDevice device) {
  std::uint32_t count = 0;
  VK_CHECK(vkGetPhysicalDeviceCooperativeMatrixFlexibleDimensionsPropertiesNV(device, &count, nullptr));
  VkCooperativeMatrixFlexibleDimensionsPropertiesNV blank{};
  blank.sType = VK_STRUCTURE_TYPE_COOPERATIVE_MATRIX_FLEXIBLE_DIMENSIONS_PROPERTIES_NV;
  std::vector<VkCooperativeMatrixFlexibleDimensionsPropertiesNV> properties(count, blank);
  VK_CHECK(
      vkGetPhysicalDeviceCooperativeMatrixFlexibleDimensionsPropertiesNV(device, &count, properties.data()));
  std::vector<FlexibleMatrixShape> shapes;
  for (const VkCooperativeMatrixFlexibleDimensionsPropertiesNV& p : properties) {
    const bool is_of_workgroup = p.scope == VK_SCOPE_WORKGROUP_KHR;
    const bool usable = (is_of_workgroup || p.scope == VK_SCOPE_SUBGROUP_KHR) && p.AType == p.BType &&
                        p.CType == p.ResultType && !p.saturatingAccumulation;
    const std::string ab = component_name(p.AType);
    const std::string result = component_name(p.ResultType);
    if (!usable || ab.empty() || result.empty()) continue;
    shapes.push_back({p.MGranularity, p.NGranularity, p.KGranularity, ab, result,
                      is_of_workgroup ? p.workgroupInvocations : 0});
  }
  return shapes;
}

CooperativeMatrix2 cooperative_matrix2(VkPhysicalDevice device,
                                       const VkPhysicalDeviceCooperativeMatrix2FeaturesNV& features) {
  VkPhysicalDeviceCooperativeMatrix2PropertiesNV limits{};
  limits.sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_COOPERATIVE_MATRIX_2_PROPERTIES_NV;
  VkPhysicalDeviceProperties2 properties{};
  properties.sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_PROPERTIES_2;
  properties.pNext = &limits;
  vkGetPhysicalDeviceProperties2(device, &properties);
  const auto has = [](VkBool32 feature) { return feature == VK_TRUE; };
  return {.workgroup_scope = has(features.cooperativeMatrixWorkgroupScope),
          .flexible_dimensions = has(features.cooperativeMatrixFlexibleDimensions),
          .reductions = has(features.cooperativeMatrixReductions),
          .conversions = has(features.cooperativeMatrixConversions),
          .per_element_operations = has(features.cooperativeMatrixPerElementOperations),
          .tensor_addressing = has(features.cooperativeMatrixTensorAddressing),
          .block_loads = has(features.cooperativeMatrixBlockLoads),
          .max_workgroup_invocations = limits.cooperativeMatrixWorkgroupScopeMaxWorkgroupSize,
          .max_dimension = limits.cooperativeMatrixFlexibleDimensionsMaxDimension,
          .reserved_shared_memory_bytes = limits.cooperativeMatrixWorkgroupScopeReservedSharedMemory,
          .shapes = features.cooperativeMatrixFlexibleDimensions ? flexible_shapes(device)
                                                                 : std::vector<FlexibleMatrixShape>{}};
}

/// Size and budget of the largest device-local heap. (Small "resizable BAR" heaps are windows into it.)
void query_memory(VkPhysicalDevice device, bool has_budget, DeviceCaps& caps) {
  VkPhysicalDeviceMemoryBudgetPropertiesEXT budget{};
  budget.sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_MEMORY_BUDGET_PROPERTIES_EXT;
  VkPhysicalDeviceMemoryProperties2 memory{};
  memory.sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_MEMORY_PROPERTIES_2;
  if (has_budget) memory.pNext = &budget;
  vkGetPhysicalDeviceMemoryProperties2(device, &memory);
  for (std::uint32_t i = 0; i < memory.memoryProperties.memoryHeapCount; ++i) {
    const VkMemoryHeap& heap = memory.memoryProperties.memoryHeaps[i];
    if ((heap.flags & VK_MEMORY_HEAP_DEVICE_LOCAL_BIT) == 0 || heap.size <= caps.heap_bytes) continue;
    caps.heap_bytes = heap.size;
    const std::uint64_t used = budget.heapUsage[i];
    const std::uint64_t allowed = budget.heapBudget[i];
    caps.heap_budget_bytes = !has_budget ? 0 : allowed > used ? allowed - used : 0;
  }
}

/// NVIDIA's multiprocessors or AMD's compute units; 0 where no extension tells.
std::uint32_t compute_units(VkPhysicalDevice device, const std::vector<std::string>& extensions) {
  VkPhysicalDeviceShaderSMBuiltinsPropertiesNV nvidia{};
  nvidia.sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_SHADER_SM_BUILTINS_PROPERTIES_NV;
  VkPhysicalDeviceShaderCorePropertiesAMD amd{};
  amd.sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_SHADER_CORE_PROPERTIES_AMD;
  VkPhysicalDeviceProperties2 properties{};
  properties.sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_PROPERTIES_2;
  if (std::ranges::contains(extensions, VK_NV_SHADER_SM_BUILTINS_EXTENSION_NAME)) {
    properties.pNext = &nvidia;
  } else if (std::ranges::contains(extensions, VK_AMD_SHADER_CORE_PROPERTIES_EXTENSION_NAME)) {
    properties.pNext = &amd;
  }
  vkGetPhysicalDeviceProperties2(device, &properties);
  if (nvidia.shaderSMCount > 0) return nvidia.shaderSMCount;
  return amd.shaderEngineCount * amd.shaderArraysPerEngineCount * amd.computeUnitsPerShaderArray;
}

struct Properties {
  VkPhysicalDeviceProperties2 core{};
  VkPhysicalDeviceVulkan11Properties vulkan11{};
  VkPhysicalDeviceVulkan12Properties vulkan12{};
  VkPhysicalDeviceVulkan13Properties vulkan13{};

  explicit Properties(VkPhysicalDevice device) {
    core.sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_PROPERTIES_2;
    vulkan11.sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_VULKAN_1_1_PROPERTIES;
    vulkan12.sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_VULKAN_1_2_PROPERTIES;
    vulkan13.sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_VULKAN_1_3_PROPERTIES;
    core.pNext = &vulkan11;
    vulkan11.pNext = &vulkan12;
    vulkan12.pNext = &vulkan13;
    vkGetPhysicalDeviceProperties2(device, &core);
  }
  Properties(const Properties&) = delete;
  Properties& operator=(const Properties&) = delete;
};

void copy_limits(const Properties& properties, DeviceCaps& caps) {
  const VkPhysicalDeviceLimits& limits = properties.core.properties.limits;
  caps.max_workgroup_invocations = limits.maxComputeWorkGroupInvocations;
  std::ranges::copy(limits.maxComputeWorkGroupSize, caps.max_workgroup_size.begin());
  std::ranges::copy(limits.maxComputeWorkGroupCount, caps.max_workgroup_count.begin());
  caps.shared_memory_bytes = limits.maxComputeSharedMemorySize;
  caps.max_push_constant_bytes = limits.maxPushConstantsSize;
  caps.max_storage_buffer_range = limits.maxStorageBufferRange;
  caps.storage_buffer_alignment = limits.minStorageBufferOffsetAlignment;
  // NVIDIA's drivers allocate more at once than they say (llama.cpp's pull request 16354). Arenas are cut
  // into pieces of this size on every driver and need no more; no other tensor is as large.
  caps.max_allocation_bytes =
      std::min(properties.vulkan11.maxMemoryAllocationSize, properties.vulkan13.maxBufferSize);
  caps.subgroup_size = properties.vulkan11.subgroupSize;
  caps.min_subgroup_size = properties.vulkan13.minSubgroupSize;
  caps.max_subgroup_size = properties.vulkan13.maxSubgroupSize;
}

std::string missing_subgroup_operations(const VkPhysicalDeviceVulkan11Properties& properties) {
  if ((properties.subgroupSupportedStages & VK_SHADER_STAGE_COMPUTE_BIT) == 0) {
    return "has no subgroup operations in compute shaders";
  }
  constexpr VkSubgroupFeatureFlags kRequired =
      VK_SUBGROUP_FEATURE_BASIC_BIT | VK_SUBGROUP_FEATURE_ARITHMETIC_BIT | VK_SUBGROUP_FEATURE_BALLOT_BIT |
      VK_SUBGROUP_FEATURE_SHUFFLE_BIT;
  if ((properties.subgroupSupportedOperations & kRequired) == kRequired) return "";
  return "lacks subgroup operations (basic, arithmetic, ballot and shuffle are needed)";
}

/// Whether a load by address that is the same in all lanes is one scalar load, without a check of bounds. Up
/// to 25.0 Mesa's llvmpipe makes a gather of it inside a loop: attention takes twice as long so.
bool loads_uniform_addresses_once(const Properties& properties) {
  return properties.vulkan12.driverID == VK_DRIVER_ID_MESA_LLVMPIPE &&
         VK_API_VERSION_MAJOR(properties.core.properties.driverVersion) >= 26;
}

void copy_features(const FeatureChain& features, const Properties& properties, DeviceCaps& caps) {
  caps.shader_f16 = features.vulkan12.shaderFloat16;
  caps.storage_16bit = features.vulkan11.storageBuffer16BitAccess;
  caps.shader_int64 = features.core.features.shaderInt64;
  caps.buffer_device_address = loads_uniform_addresses_once(properties) && caps.shader_int64 &&
                               features.vulkan12.bufferDeviceAddress != VK_FALSE;
#ifdef VK_KHR_shader_bfloat16
  caps.shader_bf16 = features.bfloat16.shaderBFloat16Type;
#endif
  caps.subgroup_size_control =
      features.vulkan13.subgroupSizeControl && features.vulkan13.computeFullSubgroups &&
      (properties.vulkan13.requiredSubgroupSizeStages & VK_SHADER_STAGE_COMPUTE_BIT) != 0;
  caps.pipeline_statistics = features.executable_properties.pipelineExecutableInfo;
}

/// The driver's word on a device, and whether vkgpt can use it.
PhysicalDevice query_device(VkPhysicalDevice handle) {
  PhysicalDevice device;
  device.handle = handle;
  DeviceCaps& caps = device.caps;
  // Structures of Vulkan 1.3 may be chained only to a device that knows them.
  VkPhysicalDeviceProperties basic{};
  vkGetPhysicalDeviceProperties(handle, &basic);
  caps.name = basic.deviceName;
  caps.type = device_type(basic.deviceType);
  caps.vendor_id = basic.vendorID;
  caps.device_id = basic.deviceID;
  caps.driver_version = basic.driverVersion;
  caps.api_version = basic.apiVersion;
  if (basic.apiVersion < VK_API_VERSION_1_3) {
    device.rejection =
        vkgpt::format("supports Vulkan {}.{} only, 1.3 is needed", VK_API_VERSION_MAJOR(basic.apiVersion),
                      VK_API_VERSION_MINOR(basic.apiVersion));
    return device;
  }

  const Properties properties(handle);
  caps.driver = vkgpt::format("{} {}", properties.vulkan12.driverName, properties.vulkan12.driverInfo);
  caps.uuid = hex(properties.vulkan11.deviceUUID);
  copy_limits(properties, caps);

  const std::vector<std::string> extensions = device_extensions(handle);
  caps.compute_units = compute_units(handle, extensions);
  query_memory(handle, std::ranges::contains(extensions, VK_EXT_MEMORY_BUDGET_EXTENSION_NAME), caps);

  FeatureChain features(extensions);
  vkGetPhysicalDeviceFeatures2(handle, &features.core);
  copy_features(features, properties, caps);

  const std::vector<VkQueueFamilyProperties> families = queue_families(handle);
  const int family = find_compute_family(families, caps.vendor_id);
  // RADV without a card divides by a clock of 0.
  if (family >= 0 && families[static_cast<std::size_t>(family)].timestampValidBits > 0 &&
      std::isfinite(basic.limits.timestampPeriod)) {
    caps.timestamp_period_ns = static_cast<double>(basic.limits.timestampPeriod);
  }

  if (family < 0) {
    device.rejection = "has no compute queue";
  } else if (device.rejection = missing_requirements(features); device.rejection.empty()) {
    device.rejection = missing_subgroup_operations(properties.vulkan11);
  }
  return device;
}

std::vector<VkPhysicalDevice> device_handles(const Instance& instance) {
  const std::unique_lock lock(loader_lists());
  std::uint32_t count = 0;
  VK_CHECK(vkEnumeratePhysicalDevices(instance.handle(), &count, nullptr));
  std::vector<VkPhysicalDevice> handles(count);
  VK_CHECK(vkEnumeratePhysicalDevices(instance.handle(), &count, handles.data()));
  return handles;
}

}  // namespace

std::vector<PhysicalDevice> enumerate_devices(const Instance& instance) {
  std::vector<PhysicalDevice> devices;
  for (const VkPhysicalDevice handle : device_handles(instance)) devices.push_back(query_device(handle));
  return devices;
}

void query_matrices(PhysicalDevice& device) {
  const std::vector<std::string> extensions = device_extensions(device.handle);
  FeatureChain features(extensions);
  vkGetPhysicalDeviceFeatures2(device.handle, &features.core);
  const Properties properties(device.handle);
  if (features.cooperative_matrix.cooperativeMatrix == VK_FALSE ||
      !has_matrix_units(properties.core.properties, properties.vulkan11, properties.vulkan12,
                        properties.vulkan13)) {
    return;
  }
  device.caps.cooperative_matrices = cooperative_shapes(device.handle);
  if (std::ranges::contains(extensions, VK_NV_COOPERATIVE_MATRIX_2_EXTENSION_NAME)) {
    device.caps.cooperative_matrix2 = cooperative_matrix2(device.handle, features.cooperative_matrix2);
  }
}

}  // namespace vkgpt::vk
