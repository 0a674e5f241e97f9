#include "vk/kernel_contract.hpp"

#include <array>
#include <cstddef>
#include <cstdint>
#include <string>

#include "vkgpt/core/error.hpp"
#include "vkgpt/core/format.hpp"

namespace vkgpt::vk {
namespace {

std::string binding_difference(const PipelineKey& key, const SpirvInterface& shader) {
  for (std::size_t i = 0; i < shader.buffers.size(); ++i) {
    if (!shader.buffers[i].is_declared) return vkgpt::format("its shader has no binding {}", i);
  }
  if (shader.buffers.size() == key.binding_count) return {};
  return vkgpt::format("its shader has {} bindings, the host binds {}", shader.buffers.size(),
                       key.binding_count);
}

std::string constant_difference(const PipelineKey& key, const SpirvInterface& shader) {
  for (std::size_t i = 0; i < shader.spec_ids.size(); ++i) {
    if (shader.spec_ids[i] != i) return vkgpt::format("its shader has no constant_id {}", i);
  }
  if (shader.spec_ids.size() == key.spec_constants.size()) return {};
  return vkgpt::format("its shader has {} specialization constants, the host sets {}", shader.spec_ids.size(),
                       key.spec_constants.size());
}

/// Full subgroups are demanded where the size is (`PipelineKey::subgroup_size`).
std::string subgroup_difference(const PipelineKey& key, const SpirvInterface& shader) {
  if (key.subgroup_size == 0) return {};
  const std::uint64_t width = shader.workgroup_size(key.spec_constants)[0];
  if (width % key.subgroup_size == 0) return {};
  return vkgpt::format("its workgroup is {} invocations wide, no multiple of the subgroup size {}", width,
                       key.subgroup_size);
}

std::string limit_difference(const PipelineKey& key, const SpirvInterface& shader, const DeviceCaps& caps) {
  const std::array<std::uint64_t, 3> size = shader.workgroup_size(key.spec_constants);
  for (std::size_t d = 0; d < 3; ++d) {
    if (size[d] > caps.max_workgroup_size[d]) {
      return vkgpt::format("its workgroup has {} invocations along {}, the device allows {}", size[d],
                           "xyz"[d], caps.max_workgroup_size[d]);
    }
  }
  if (const std::uint64_t invocations = size[0] * size[1] * size[2];
      invocations > caps.max_workgroup_invocations) {
    return vkgpt::format("its workgroup has {} invocations, the device allows {}", invocations,
                         caps.max_workgroup_invocations);
  }
  const std::uint64_t bytes = shader.shared_bytes(key.spec_constants);
  if (bytes <= caps.shared_memory_bytes) return {};
  return vkgpt::format("its workgroup takes {} bytes of shared memory, the device has {}", bytes,
                       caps.shared_memory_bytes);
}

std::string device_difference(const SpirvInterface& shader, const DeviceCaps& caps) {
  if (shader.uses_cooperative_matrices() && caps.cooperative_matrices.empty() && !caps.cooperative_matrix2) {
    return "it needs VK_KHR_cooperative_matrix, which the device does not have";
  }
  if (shader.uses_cooperative_matrices2() && !caps.cooperative_matrix2) {
    return "it needs VK_NV_cooperative_matrix2, which the device does not have";
  }
  return {};
}

}  // namespace

void check_contract(const PipelineKey& key, const SpirvInterface& shader, const DeviceCaps& caps) {
  std::string difference = binding_difference(key, shader);
  if (difference.empty() && shader.push_bytes != key.push_bytes) {
    difference = vkgpt::format("its shader has {} bytes of push constants, the host pushes {}",
                               shader.push_bytes, key.push_bytes);
  }
  if (difference.empty()) difference = constant_difference(key, shader);
  if (difference.empty()) difference = subgroup_difference(key, shader);
  if (difference.empty()) difference = limit_difference(key, shader, caps);
  if (difference.empty()) difference = device_difference(shader, caps);
  if (!difference.empty()) fail("kernel {}: {}", describe(key), difference);
}

}  // namespace vkgpt::vk
