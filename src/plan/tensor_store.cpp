#include "vkgpt/plan/tensor_store.hpp"

#include <algorithm>

#include "vkgpt/core/check.hpp"
#include "vkgpt/core/error.hpp"
#include "vkgpt/core/format.hpp"
#include "vkgpt/core/units.hpp"
#include "vkgpt/plan/memory_limit.hpp"
#include "vkgpt/vk/result.hpp"

namespace vkgpt::plan {
namespace {

constexpr std::uint32_t kQuietNan = 0x7fc00000;

}  // namespace

void TensorStore::reserve(const Schedule& schedule) {
  const vk::Device& device = context_.device();
  check_memory(schedule.memory, device.caps());
  const Plan& plan = schedule.plan;
  try {
    for (std::size_t i = 0; i < plan.tensors.size(); ++i) {
      const TensorInfo& info = plan.tensors[i];
      if (info.root != TensorId(i) || info.storage == Storage::kTransient) continue;
      if (info.storage == Storage::kPersistent) {
        if (const auto found = persistent_.find(info.name); found != persistent_.end()) {
          VKGPT_CHECK(found->second.size() == info.bytes(), "{} has {} bytes in one plan and {} in another",
                      info.name, found->second.size(), info.bytes());
          continue;
        }
        vk::Buffer buffer(device, info.bytes(), vk::MemoryKind::kDevice, info.name);
        if (const auto constant = plan.constants.find(TensorId(i)); constant != plan.constants.end()) {
          context_.staging().upload(buffer, 0, std::as_bytes(std::span(constant->second)));
        } else {
          context_.staging().fill(buffer, 0, buffer.size(), 0);
        }
        persistent_.emplace(info.name, std::move(buffer));
      } else if (!slots_.contains(info.name)) {
        const bool is_upload = info.storage == Storage::kUpload;
        SlotTensor tensor{info.storage, {}};
        for (int slot = 0; slot < kSlotCount; ++slot) {
          tensor.buffers.emplace_back(device, info.bytes(),
                                      is_upload ? vk::MemoryKind::kUpload : vk::MemoryKind::kReadback,
                                      vkgpt::format("{}[{}]", info.name, slot));
          std::fill_n(tensor.buffers.back().mapped(), info.bytes(), std::byte{0});
        }
        slots_.emplace(info.name, std::move(tensor));
      }
    }
    for (std::size_t i = 0; i < schedule.memory.arena_bytes.size(); ++i) {
      const std::uint64_t bytes = schedule.memory.arena_bytes[i];
      if (i < arenas_.size() && arenas_[i].size() >= bytes) continue;
      VKGPT_CHECK(!arenas_in_use_, "an arena would grow under a recording");
      if (arenas_.size() <= i) arenas_.resize(i + 1);
      arenas_[i] = {};
      arenas_[i] = vk::Buffer(device, bytes, vk::MemoryKind::kDevice, vkgpt::format("arena{}", i));
    }
  } catch (const vk::DeviceLost&) {
    throw;  // memory is not what was missing
  } catch (const Error& error) {
    fail("{} (the plan needs {}: {}); a smaller batch_size or block_size needs less", error.what(),
         format_bytes(schedule.memory.total_bytes()), memory_table(schedule.memory));
  }
}

vk::BufferRange TensorStore::range(const Schedule& schedule, const Binding& binding, int slot) const {
  const TensorInfo& info = schedule.plan.tensor(binding.tensor);
  switch (info.storage) {
    case Storage::kTransient: {
      arenas_in_use_ = true;
      const Placement& placement = schedule.memory.placements.at(binding.tensor);
      return {arenas_.at(placement.arena).handle(), placement.offset + binding.offset, binding.size};
    }
    case Storage::kPersistent:
      return {persistent(info.name).handle(), binding.offset, binding.size};
    case Storage::kUpload:
    case Storage::kReadback: {
      const SlotTensor& tensor = slots_.at(info.name);
      return {tensor.buffers.at(static_cast<std::size_t>(slot)).handle(), binding.offset, binding.size};
    }
  }
  return {};
}

void TensorStore::upload(std::string_view name, std::span<const std::byte> data, std::uint64_t offset) {
  context_.staging().upload(persistent(name), offset, data);
}

void TensorStore::download(std::string_view name, std::span<std::byte> data, std::uint64_t offset) const {
  context_.staging().download(persistent(name), offset, data);
}

void TensorStore::fill_zero(std::string_view name) {
  const vk::Buffer& buffer = persistent(name);
  context_.staging().fill(buffer, 0, buffer.size(), 0);
}

void TensorStore::flush(int slot) const {
  for (const auto& [name, tensor] : slots_) {
    if (tensor.storage == Storage::kUpload) tensor.buffers[static_cast<std::size_t>(slot)].flush();
  }
}

std::uint64_t TensorStore::allocated_bytes() const {
  std::uint64_t bytes = 0;
  for (const auto& [name, buffer] : persistent_) bytes += buffer.size();
  for (const auto& [name, tensor] : slots_) {
    for (const vk::Buffer& buffer : tensor.buffers) bytes += buffer.size();
  }
  for (const vk::Buffer& arena : arenas_) bytes += arena.size();
  return bytes;
}

void TensorStore::poison_arenas() {
  for (const vk::Buffer& arena : arenas_) {
    context_.staging().fill(arena, 0, arena.size() / 4 * 4, kQuietNan);
  }
}

std::span<std::byte> TensorStore::slot_bytes(std::string_view name, int slot, Storage storage) const {
  const auto found = slots_.find(name);
  VKGPT_CHECK(found != slots_.end() && found->second.storage == storage, "no slot tensor {}", name);
  const vk::Buffer& buffer = found->second.buffers.at(static_cast<std::size_t>(slot));
  if (storage == Storage::kReadback) buffer.invalidate();
  return {buffer.mapped(), buffer.size()};
}

const vk::Buffer& TensorStore::persistent(std::string_view name) const {
  const auto found = persistent_.find(name);
  VKGPT_CHECK(found != persistent_.end(), "no persistent tensor {}", name);
  return found->second;
}

int SlotRing::acquire() {
  current_ = (current_ + 1) % kSlotCount;
  queue_.wait(values_[current_]);
  return current_;
}

}  // namespace vkgpt::plan
