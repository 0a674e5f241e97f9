#include "vkgpt/plan/tensor_store.hpp"

#include <algorithm>
#include <set>

#include "vkgpt/core/check.hpp"
#include "vkgpt/core/error.hpp"
#include "vkgpt/core/format.hpp"
#include "vkgpt/core/units.hpp"
#include "vkgpt/plan/memory_limit.hpp"
#include "vkgpt/vk/result.hpp"

namespace vkgpt::plan {
namespace {

constexpr std::uint32_t kQuietNan = 0x7fc00000;

void check_range(std::string_view name, std::uint64_t bytes, std::uint64_t offset, std::uint64_t count) {
  VKGPT_CHECK(offset <= bytes && count <= bytes - offset, "{} bytes at {} of {}, which has {}", count, offset,
              name, bytes);
}

}  // namespace

TensorStore::TensorStore(vk::Context& context)
    : TensorStore(context,
                  context.caps().type == vk::DeviceType::kDiscrete ? Uploads::kCopied : Uploads::kInPlace) {}

void TensorStore::reserve(const Schedule& schedule) {
  const vk::Device& device = context_.device();
  check_memory(schedule.memory, device.caps());
  const Plan& plan = schedule.plan;
  const auto explained = [&](const Error& error) {
    return vkgpt::format("{} (the plan needs {}: {}); a smaller batch_size or block_size needs less",
                         error.what(), format_bytes(schedule.memory.total_bytes()),
                         memory_table(schedule.memory));
  };
  try {
    for (std::size_t i = 0; i < plan.tensors.size(); ++i) {
      const TensorInfo& info = plan.tensors[i];
      if (info.root != TensorId(i) || info.storage == Storage::kTransient) continue;
      if (info.storage == Storage::kPersistent) {
        if (const auto found = persistent_.find(info.name); found != persistent_.end()) {
          VKGPT_CHECK(found->second.bytes() == info.bytes(), "{} has {} bytes in one plan and {} in another",
                      info.name, found->second.bytes(), info.bytes());
          continue;
        }
        persistent_.emplace(info.name, allocate(info));
        if (const auto constant = plan.constants.find(TensorId(i)); constant != plan.constants.end()) {
          upload(info.name, std::as_bytes(std::span(constant->second)));
        } else {
          fill_zero(info.name);
        }
      } else if (info.storage == Storage::kHost) {
        reserve_host(info);
      } else if (!slots_.contains(info.name)) {
        const bool is_upload = info.storage == Storage::kUpload;
        SlotTensor tensor{info.storage, {}};
        for (int slot = 0; slot < kSlotCount; ++slot) {
          tensor.buffers.emplace_back(device, info.bytes(),
                                      is_upload ? vk::MemoryKind::kUpload : vk::MemoryKind::kReadback,
                                      vkgpt::format("{}[{}]", info.name, slot));
          std::fill_n(tensor.buffers.back().mapped(), info.bytes(), std::byte{0});
          // What is written and then invalidated without a flush is undefined in memory that is not coherent.
          tensor.buffers.back().flush();
          if (!is_upload || uploads_ == Uploads::kInPlace || info.bytes() > kMostCopiedUpload) continue;
          tensor.on_device.emplace_back(device, info.bytes(), vk::MemoryKind::kDevice,
                                        vkgpt::format("{}[{}] on the device", info.name, slot));
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
  } catch (const vk::OutOfMemory& error) {
    throw vk::OutOfMemory(explained(error));
  } catch (const Error& error) {
    throw Error(explained(error));
  }
}

void TensorStore::reserve_host(const TensorInfo& info) {
  const auto found = host_.find(info.name);
  if (found == host_.end()) {
    host_.emplace(info.name,
                  vk::Buffer(context_.device(), info.bytes(), vk::MemoryKind::kReadback, info.name));
    return;
  }
  VKGPT_CHECK(found->second.size() == info.bytes(), "{} has {} bytes in one plan and {} in another",
              info.name, found->second.size(), info.bytes());
}

vk::BufferRange TensorStore::range(const Schedule& schedule, const Binding& binding, int slot) const {
  const TensorInfo& info = schedule.plan.tensor(binding.tensor);
  switch (info.storage) {
    case Storage::kTransient: {
      arenas_in_use_ = true;
      const Placement& placement = schedule.memory.placements.at(binding.tensor);
      return {arenas_.at(placement.arena).handle(), placement.offset + binding.offset, binding.size};
    }
    case Storage::kPersistent: {
      const Pieces& pieces = persistent(info.name);
      const std::size_t piece = pieces.find(binding.offset);
      return {pieces.buffers[piece].handle(), binding.offset - pieces.begins[piece], binding.size};
    }
    case Storage::kHost:
      return {host_.at(info.name).handle(), binding.offset, binding.size};
    case Storage::kUpload:
    case Storage::kReadback: {
      const SlotTensor& tensor = slots_.at(info.name);
      const auto& buffers = tensor.on_device.empty() ? tensor.buffers : tensor.on_device;
      return {buffers.at(static_cast<std::size_t>(slot)).handle(), binding.offset, binding.size};
    }
  }
  return {};
}

std::vector<UploadCopy> TensorStore::copies(const Schedule& schedule, std::size_t index, int slot) const {
  std::set<TensorId> uploads;
  for (const Dispatch& dispatch : schedule.plan.segments[index].dispatches) {
    for (const Binding& binding : dispatch.bindings) {
      if (schedule.plan.tensor(binding.tensor).storage == Storage::kUpload) uploads.insert(binding.tensor);
    }
  }
  std::vector<UploadCopy> copies;
  for (const TensorId id : uploads) {
    const SlotTensor& tensor = slots_.at(schedule.plan.tensor(id).name);
    if (tensor.on_device.empty()) continue;
    const vk::Buffer& from = tensor.buffers.at(static_cast<std::size_t>(slot));
    const vk::Buffer& to = tensor.on_device.at(static_cast<std::size_t>(slot));
    copies.push_back({{from.handle(), 0, from.size()}, {to.handle(), 0, to.size()}});
  }
  return copies;
}

std::size_t TensorStore::Pieces::find(std::uint64_t offset) const {
  return static_cast<std::size_t>(std::ranges::upper_bound(begins, offset) - begins.begin()) - 1;
}

TensorStore::Pieces TensorStore::allocate(const TensorInfo& info) const {
  Pieces pieces{{0}, {}};
  pieces.begins.insert(pieces.begins.end(), info.cuts.begin(), info.cuts.end());
  for (std::size_t i = 0; i < pieces.begins.size(); ++i) {
    const std::uint64_t end = i + 1 < pieces.begins.size() ? pieces.begins[i + 1] : info.bytes();
    pieces.buffers.emplace_back(context_.device(), end - pieces.begins[i], vk::MemoryKind::kDevice,
                                info.cuts.empty() ? info.name : vkgpt::format("{}/{}", info.name, i));
  }
  return pieces;
}

template <typename Run>
void TensorStore::for_each_piece(const Pieces& pieces, std::uint64_t offset, std::uint64_t bytes, Run&& run) {
  for (std::uint64_t done = 0; done < bytes;) {
    const std::size_t piece = pieces.find(offset + done);
    const std::uint64_t at = offset + done - pieces.begins[piece];
    const std::uint64_t count = std::min(bytes - done, pieces.buffers[piece].size() - at);
    run(pieces.buffers[piece], at, done, count);
    done += count;
  }
}

void TensorStore::upload(std::string_view name, std::span<const std::byte> data, std::uint64_t offset) {
  const Pieces& pieces = persistent(name);
  check_range(name, pieces.bytes(), offset, data.size());
  for_each_piece(pieces, offset, data.size(), [&](const vk::Buffer& buffer, auto at, auto done, auto count) {
    context_.staging().upload(buffer, at, data.subspan(done, count));
  });
}

void TensorStore::download(std::string_view name, std::span<std::byte> data, std::uint64_t offset) const {
  const Pieces& pieces = persistent(name);
  check_range(name, pieces.bytes(), offset, data.size());
  for_each_piece(pieces, offset, data.size(), [&](const vk::Buffer& buffer, auto at, auto done, auto count) {
    context_.staging().download(buffer, at, data.subspan(done, count));
  });
}

void TensorStore::fill_zero(std::string_view name) {
  for (const vk::Buffer& buffer : persistent(name).buffers) {
    context_.staging().fill(buffer, 0, buffer.size(), 0);
  }
}

void TensorStore::flush(int slot) const {
  for (const auto& [name, tensor] : slots_) {
    if (tensor.storage == Storage::kUpload) tensor.buffers[static_cast<std::size_t>(slot)].flush();
  }
}

std::uint64_t TensorStore::allocated_bytes() const {
  std::uint64_t bytes = 0;
  for (const auto& [name, pieces] : persistent_) bytes += pieces.bytes();
  for (const auto& [name, tensor] : slots_) {
    for (const vk::Buffer& buffer : tensor.buffers) bytes += buffer.size();
    for (const vk::Buffer& buffer : tensor.on_device) bytes += buffer.size();
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

const TensorStore::Pieces& TensorStore::persistent(std::string_view name) const {
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
