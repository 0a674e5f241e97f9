#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "vkgpt/plan/schedule.hpp"
#include "vkgpt/vk/context.hpp"

namespace vkgpt::plan {

/// The memory behind the tensors of one or several schedules: persistent and slot tensors shared by name, and
/// arenas shared by all, since submissions run one after another.
class TensorStore {
 public:
  explicit TensorStore(vk::Context& context) : context_(context) {}

  /// Allocates what `schedule` needs beyond what is there. Constants are uploaded, other persistent
  /// and slot tensors start as zeros. Every
  /// schedule is reserved before the first one is recorded. Fails when the device's memory is too small, with
  /// the memory table.
  void reserve(const Schedule& schedule);

  /// The memory of `binding` in the given slot.
  vk::BufferRange range(const Schedule& schedule, const Binding& binding, int slot) const;

  /// Copies to or from a persistent tensor, `offset` bytes in; waits until it is done.
  void upload(std::string_view name, std::span<const std::byte> data, std::uint64_t offset = 0);
  void download(std::string_view name, std::span<std::byte> data, std::uint64_t offset = 0) const;
  void fill_zero(std::string_view name);

  /// Host memory of an upload tensor. The caller owns `slot` (see `SlotRing`).
  template <typename T>
  std::span<T> upload_slot(std::string_view name, int slot) {
    return as_span<T>(slot_bytes(name, slot, Storage::kUpload));
  }
  /// Host memory of a readback tensor, valid once the submission that wrote it has completed.
  template <typename T>
  std::span<const T> readback_slot(std::string_view name, int slot) const {
    return as_span<const T>(slot_bytes(name, slot, Storage::kReadback));
  }
  /// Makes the host's writes to the slot visible to the next submission.
  void flush(int slot) const;

  /// Bytes of all buffers.
  std::uint64_t allocated_bytes() const;
  /// Overwrites the arenas with NaN, so that a read of something never written shows.
  void poison_arenas();

 private:
  struct SlotTensor {
    Storage storage;
    std::vector<vk::Buffer> buffers;  // one per slot
  };

  std::span<std::byte> slot_bytes(std::string_view name, int slot, Storage storage) const;
  template <typename T>
  static std::span<T> as_span(std::span<std::byte> bytes) {
    return {reinterpret_cast<T*>(bytes.data()), bytes.size() / sizeof(T)};
  }
  const vk::Buffer& persistent(std::string_view name) const;

  vk::Context& context_;
  std::map<std::string, vk::Buffer, std::less<>> persistent_;
  std::map<std::string, SlotTensor, std::less<>> slots_;
  std::vector<vk::Buffer> arenas_;
  mutable bool arenas_in_use_ = false;
};

/// Hands the two slots out in turn; a slot comes back only after the device has finished with it.
class SlotRing {
 public:
  explicit SlotRing(vk::Queue& queue) : queue_(queue) {}

  /// The next slot, after waiting for the last submission that used it.
  int acquire();
  /// Timeline value of the last submission that uses the slot `acquire` gave.
  void submitted(std::uint64_t value) { values_[current_] = value; }

 private:
  vk::Queue& queue_;
  std::uint64_t values_[kSlotCount] = {};
  int current_ = kSlotCount - 1;
};

}  // namespace vkgpt::plan
