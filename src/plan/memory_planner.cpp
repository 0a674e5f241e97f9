#include "vkgpt/plan/memory_planner.hpp"

#include <algorithm>
#include <numeric>

#include "vkgpt/core/units.hpp"
#include "vkgpt/plan/limits.hpp"

namespace vkgpt::plan {
namespace {

/// A transient tensor's life: the first and last dispatch of its segment that bind it.
struct Life {
  TensorId tensor{};
  std::uint64_t bytes = 0;
  std::size_t first = 0;
  std::size_t last = 0;
};

std::vector<Life> lives_of(const Plan& plan, const Segment& segment) {
  std::map<TensorId, Life> lives;
  for (std::size_t i = 0; i < segment.dispatches.size(); ++i) {
    for (const Binding& binding : segment.dispatches[i].bindings) {
      const TensorInfo& info = plan.tensor(binding.tensor);
      if (info.storage != Storage::kTransient) continue;
      const auto [life, is_new] = lives.try_emplace(binding.tensor, Life{binding.tensor, info.bytes(), i, i});
      life->second.last = i;
    }
  }
  std::vector<Life> sorted;
  for (const auto& [id, life] : lives) sorted.push_back(life);
  std::ranges::stable_sort(sorted, std::greater{}, &Life::bytes);
  return sorted;
}

struct Placed {
  Life life;
  std::uint64_t begin = 0;
  std::uint64_t end = 0;
};

/// The lowest offset at which `life` fits among the tensors of one arena.
std::uint64_t lowest_fit(const std::vector<Placed>& arena, const Life& life, std::uint64_t alignment) {
  std::uint64_t offset = 0;
  for (const Placed& other : arena) {  // sorted by begin
    const bool alive_together = life.first <= other.life.last && other.life.first <= life.last;
    if (!alive_together) continue;
    if (offset + life.bytes <= other.begin) break;
    offset = std::max(offset, (other.end + alignment - 1) / alignment * alignment);
  }
  return offset;
}

std::uint64_t largest_piece(const TensorInfo& info) {
  std::uint64_t largest = 0, begin = 0;
  for (const std::uint64_t cut : info.cuts) {
    largest = std::max(largest, cut - begin);
    begin = cut;
  }
  return std::max(largest, info.bytes() - begin);
}

/// Throws unless a buffer of `bytes` for the tensor, or a piece of it, is one that the device allows.
void check_tensor(const TensorInfo& info, std::uint64_t bytes, std::uint64_t most) {
  check_fits(bytes <= most, "{} takes a buffer of {}, the device allows {} in one allocation", info.name,
             format_bytes(bytes), format_bytes(most));
}

/// Whether the slots of an upload or readback take none of the device's memory.
bool is_apart(const TensorInfo& info, HostMemory host) {
  if (host == HostMemory::kShared) return false;
  return info.storage == Storage::kReadback || info.bytes() > kMostCopiedUpload;
}

}  // namespace

std::uint64_t MemoryPlan::total_bytes() const {
  return std::accumulate(bytes_by_role.begin(), bytes_by_role.end(), std::uint64_t{0},
                         [](std::uint64_t sum, const auto& entry) { return sum + entry.second; });
}

MemoryPlan plan_memory(const Plan& plan, std::uint64_t alignment, std::uint64_t max_arena_bytes,
                       HostMemory host) {
  MemoryPlan memory;
  for (const Segment& segment : plan.segments) {
    std::vector<std::vector<Placed>> arenas;
    for (const Life& life : lives_of(plan, segment)) {
      check_tensor(plan.tensor(life.tensor), life.bytes, max_arena_bytes);
      std::uint32_t index = 0;
      std::uint64_t offset = 0;
      for (;; ++index) {
        if (index == arenas.size()) arenas.emplace_back();
        offset = lowest_fit(arenas[index], life, alignment);
        if (offset + life.bytes <= max_arena_bytes) break;
      }
      const Placed placed{life, offset, offset + life.bytes};
      arenas[index].insert(std::ranges::upper_bound(arenas[index], placed.begin, {}, &Placed::begin), placed);
      memory.placements[life.tensor] = {index, offset};
      if (memory.arena_bytes.size() <= index) memory.arena_bytes.resize(index + 1);
      memory.arena_bytes[index] = std::max(memory.arena_bytes[index], placed.end);
    }
  }

  for (std::size_t i = 0; i < plan.tensors.size(); ++i) {
    const TensorInfo& info = plan.tensors[i];
    if (info.root != TensorId(i)) continue;
    if (info.storage == Storage::kPersistent) {
      check_tensor(info, largest_piece(info), max_arena_bytes);
      memory.bytes_by_role[info.role] += info.bytes();
    }
    if (info.storage == Storage::kHost) {
      check_tensor(info, info.bytes(), max_arena_bytes);
      memory.host_bytes += info.bytes();
    }
    if (info.storage == Storage::kUpload || info.storage == Storage::kReadback) {
      std::uint64_t& bytes = is_apart(info, host) ? memory.host_bytes : memory.bytes_by_role[info.role];
      bytes += kSlotCount * info.bytes();
    }
  }
  for (const std::uint64_t bytes : memory.arena_bytes) memory.bytes_by_role[Role::kActivations] += bytes;
  return memory;
}

}  // namespace vkgpt::plan
