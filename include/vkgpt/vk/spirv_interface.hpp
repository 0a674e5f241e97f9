#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <span>
#include <vector>

namespace vkgpt::vk {

/// A storage buffer of set 0 as a kernel uses it. An access is one that the module has an instruction for and
/// no qualifier (`readonly`, `writeonly`) rules out.
struct BufferInterface {
  bool is_declared = false;  // false: a gap between other bindings
  bool reads = false;
  bool writes = false;
};

/// One dimension of the workgroup: the specialization constant that sets it, else `value`.
struct WorkgroupExtent {
  std::uint32_t value = 1;
  std::optional<std::uint32_t> spec_id;
};

/// A variable of shared memory: its size is `bytes` times the specialization constants.
struct SharedVariable {
  std::uint64_t bytes = 1;
  std::vector<std::uint32_t> spec_ids;
};

/// The host that a kernel expects, by its SPIR-V.
struct SpirvInterface {
  std::vector<BufferInterface> buffers;  // by binding number
  std::uint32_t push_bytes = 0;          // up to the end of the last member of the block
  std::vector<std::uint32_t> spec_ids;   // constant_id of every specialization constant, ascending
  std::array<WorkgroupExtent, 3> workgroup;
  std::vector<SharedVariable> shared;
  std::vector<std::uint32_t> capabilities;  // as the module declares them, ascending

  /// The workgroup's extents and its bytes of shared memory, under the specialization constants.
  std::array<std::uint64_t, 3> workgroup_size(std::span<const std::uint32_t> spec_constants) const;
  std::uint64_t shared_bytes(std::span<const std::uint32_t> spec_constants) const;

  bool has_capability(std::uint32_t capability) const;
  bool uses_subgroups() const;              // any of GroupNonUniform*
  bool uses_cooperative_matrices() const;   // KHR, which the NV extension builds on
  bool uses_cooperative_matrices2() const;  // any capability of VK_NV_cooperative_matrix2
};

/// Reads a compute kernel as glslang writes it. Throws `Error` in one line for words that are no such module
/// (a damaged file), and for descriptors other than storage buffers of set 0.
SpirvInterface read_spirv_interface(std::span<const std::uint32_t> words);

}  // namespace vkgpt::vk
