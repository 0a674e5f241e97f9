#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "vkgpt/plan/descriptor_sets.hpp"
#include "vkgpt/plan/schedule.hpp"
#include "vkgpt/vk/context.hpp"

namespace vkgpt::plan {

/// The memory behind the tensors of one or several schedules: persistent and slot tensors shared by name, and
/// arenas shared by all, since submissions run one after another.
class TensorStore {
 public:
  /// Whether kernels read upload tensors where the host wrote them or, behind a bus, from a copy in the
  /// device's own memory that a submission makes first.
  enum class Uploads { kInPlace, kCopied };

  /// On discrete devices uploads are copied.
  explicit TensorStore(vk::Context& context);
  TensorStore(vk::Context& context, Uploads uploads) : context_(context), uploads_(uploads) {}

  /// Allocates what `schedule` needs beyond what is there. Constants are uploaded, other persistent
  /// and slot tensors start as zeros, those of `Storage::kHost` as they are. Every
  /// schedule is reserved before the first one is recorded. Fails when the device's memory is too small, with
  /// the memory table.
  void reserve(const Schedule& schedule);

  /// The memory of `binding` in the given slot.
  vk::BufferRange range(const Schedule& schedule, const Binding& binding, int slot) const;

  /// What a submission of segment `index` copies first for the slot.
  std::vector<UploadCopy> copies(const Schedule& schedule, std::size_t index, int slot) const;

  /// Copies to or from a persistent tensor, `offset` bytes in; waits until it is done.
  void upload(std::string_view name, std::span<const std::byte> data, std::uint64_t offset = 0);
  void download(std::string_view name, std::span<std::byte> data, std::uint64_t offset = 0) const;
  void fill_zero(std::string_view name);

  /// Whether slots are pages that a GPU's driver mapped, not memory of this process as with a CPU driver.
  bool has_mapped_slots() const { return !context_.caps().is_cpu(); }

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

  /// Bytes of all buffers but those of `Storage::kHost`.
  std::uint64_t allocated_bytes() const;
  /// Overwrites the arenas with NaN, so that a read of something never written shows.
  void poison_arenas();

 private:
  struct SlotTensor {
    Storage storage;
    std::vector<vk::Buffer> buffers;      // one per slot, the host's
    std::vector<vk::Buffer> on_device{};  // their copies, of uploads that are copied
  };

  std::span<std::byte> slot_bytes(std::string_view name, int slot, Storage storage) const;
  template <typename T>
  static std::span<T> as_span(std::span<std::byte> bytes) {
    return {reinterpret_cast<T*>(bytes.data()), bytes.size() / sizeof(T)};
  }
  /// The memory of a persistent tensor: one buffer, or where it is cut several.
  struct Pieces {
    std::vector<std::uint64_t> begins;  // bytes of the tensor before each
    std::vector<vk::Buffer> buffers;

    std::uint64_t bytes() const { return begins.back() + buffers.back().size(); }
    /// The piece that holds byte `offset`.
    std::size_t find(std::uint64_t offset) const;
  };

  const Pieces& persistent(std::string_view name) const;
  void reserve_host(const TensorInfo& info);
  Pieces allocate(const TensorInfo& info) const;
  /// Calls `run(buffer, offset in it, offset in the range, bytes)` for each piece of a range of bytes.
  template <typename Run>
  static void for_each_piece(const Pieces& pieces, std::uint64_t offset, std::uint64_t bytes, Run&& run);

  vk::Context& context_;
  Uploads uploads_;
  std::map<std::string, Pieces, std::less<>> persistent_;
  std::map<std::string, SlotTensor, std::less<>> slots_;
  std::map<std::string, vk::Buffer, std::less<>> host_;
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
