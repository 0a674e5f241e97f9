#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace vkgpt::vk {

enum class DeviceType { kDiscrete, kIntegrated, kVirtual, kCpu, kOther };

/// One supported shape of `VK_KHR_cooperative_matrix` at subgroup scope: D(M,N) = A(M,K) B(K,N) + C(M,N).
struct CooperativeMatrixShape {
  std::uint32_t m = 0, n = 0, k = 0;
  std::string ab_type;      // "f16", "f32", "bf16", "s8", "u8", ...
  std::string result_type;  // type of C and D
};

/// Multiples in which a matrix of `VK_NV_cooperative_matrix2` may be sized: D(M,N) = A(M,K) B(K,N) + C(M,N).
struct FlexibleMatrixShape {
  std::uint32_t m = 0, n = 0, k = 0;
  std::string ab_type;            // "f16", "f32", "bf16", ...
  std::string result_type;        // type of C and D
  std::uint32_t invocations = 0;  // of a workgroup whose matrices they are; 0 = of a subgroup
};

/// The parts of `VK_NV_cooperative_matrix2` that a device supports.
struct CooperativeMatrix2 {
  bool workgroup_scope = false;
  bool flexible_dimensions = false;
  bool reductions = false;
  bool conversions = false;
  bool per_element_operations = false;
  bool tensor_addressing = false;
  bool block_loads = false;
  std::uint32_t max_workgroup_invocations = 0;     // of a workgroup with matrices of its own
  std::uint32_t max_dimension = 0;                 // of a matrix of flexible size
  std::uint32_t reserved_shared_memory_bytes = 0;  // that a workgroup with matrices of its own does not have
  std::vector<FlexibleMatrixShape> shapes;
};

/// Vendor ids of PCI, as `DeviceCaps::vendor_id` has them.
inline constexpr std::uint32_t kVendorAmd = 0x1002, kVendorNvidia = 0x10de, kVendorIntel = 0x8086;

/// The facts about a device that kernels and planners need, free of Vulkan types so that plans can be
/// built without a GPU. The defaults are the least that vkgpt requires; `vkgpt plan` uses them when there is
/// no device.
struct DeviceCaps {
  std::string name = "generic";
  std::string driver;  // driver name and version, as the driver says it
  std::string uuid;    // device UUID, 32 hexadecimal digits
  DeviceType type = DeviceType::kDiscrete;
  std::uint32_t vendor_id = 0;
  std::uint32_t device_id = 0;
  std::uint32_t driver_version = 0;
  std::uint32_t api_version = 0;  // as VK_MAKE_API_VERSION packs it

  std::uint32_t subgroup_size = 32;
  std::uint32_t min_subgroup_size = 32;
  std::uint32_t max_subgroup_size = 32;
  bool subgroup_size_control = false;

  std::uint32_t max_workgroup_invocations = 128;
  std::array<std::uint32_t, 3> max_workgroup_size = {128, 128, 64};
  std::array<std::uint32_t, 3> max_workgroup_count = {65535, 65535, 65535};
  std::uint32_t shared_memory_bytes = 16384;
  std::uint32_t max_push_constant_bytes = 128;

  std::uint64_t max_storage_buffer_range = 1ull << 27;  // bytes one descriptor may cover
  std::uint64_t storage_buffer_alignment = 256;         // bytes a bound offset must be a multiple of
  std::uint64_t max_allocation_bytes = 1ull << 30;      // bytes of one buffer or allocation
  std::uint64_t heap_bytes = 0;                         // the largest device-local heap
  std::uint64_t heap_budget_bytes = 0;                  // of it, free for us now (0 = unknown)

  /// Of NVIDIA's multiprocessors, AMD's compute units, where the driver tells; 0 = unknown.
  std::uint32_t compute_units = 0;
  /// Of the work that a dispatch may hold on a device of this type, what it is given: less after a loss,
  /// since a watchdog may have found it too long. No driver tells it.
  double dispatch_share = 1;

  bool shader_f16 = false;
  bool storage_16bit = false;
  bool shader_bf16 = false;
  bool shader_int64 = false;
  bool buffer_device_address = false;  // kernels read buffers by address: llvmpipe, where that is faster
  double timestamp_period_ns = 0;      // nanoseconds per tick; 0 = no timestamps
  bool pipeline_statistics = false;    // the driver tells what it made of a shader
  std::vector<CooperativeMatrixShape> cooperative_matrices;
  std::optional<CooperativeMatrix2> cooperative_matrix2;  // where the device has the extension

  bool is_cpu() const { return type == DeviceType::kCpu; }
};

}  // namespace vkgpt::vk
