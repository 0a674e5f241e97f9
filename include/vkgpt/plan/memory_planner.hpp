#pragma once

#include <cstdint>
#include <map>
#include <vector>

#include "vkgpt/plan/plan.hpp"

namespace vkgpt::plan {

/// The place of a transient tensor.
struct Placement {
  std::uint32_t arena = 0;
  std::uint64_t offset = 0;
};

/// Uploads of at most so many bytes have a copy in the memory of a discrete GPU. Longer ones are read in
/// place, once: a copy would cost the device as much memory.
inline constexpr std::uint64_t kMostCopiedUpload = 16 << 20;

/// Where tensors lie that the host writes or reads: in the device's memory or, with a discrete GPU, beside
/// it.
enum class HostMemory : std::uint8_t { kShared, kApart };

/// Offsets of all transient tensors. Segments run one after another and share the arenas.
struct MemoryPlan {
  std::vector<std::uint64_t> arena_bytes;       // size of each arena
  std::map<TensorId, Placement> placements;     // every transient root tensor that is used
  std::map<Role, std::uint64_t> bytes_by_role;  // kActivations counts the arenas, slots count twice
  std::uint64_t host_bytes = 0;  // beside all that: of Storage::kHost, and slots that lie apart

  /// What the device is asked for: `bytes_by_role` together.
  std::uint64_t total_bytes() const;
};

/// Places tensors whose lives overlap beside each other, the largest first, each at the lowest free offset.
/// `max_arena_bytes` bounds one arena (a device allocates only so much at once); further arenas are opened
/// as needed. A pure function of the plan.
MemoryPlan plan_memory(const Plan& plan, std::uint64_t alignment, std::uint64_t max_arena_bytes,
                       HostMemory host = HostMemory::kShared);

}  // namespace vkgpt::plan
