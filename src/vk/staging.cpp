#include "vkgpt/vk/staging.hpp"

#include <algorithm>
#include <cstring>

#include "vkgpt/core/check.hpp"

namespace vkgpt::vk {
namespace {

void check_range(const Buffer& buffer, std::uint64_t offset, std::uint64_t size) {
  VKGPT_CHECK(offset <= buffer.size() && size <= buffer.size() - offset, "{} bytes at {} of a buffer of {}",
              size, offset, buffer.size());
}

}  // namespace

Staging::Staging(const Device& device, Queue& queue, std::uint64_t bytes)
    : queue_(queue),
      upload_(device, bytes, MemoryKind::kUpload, "staging upload"),
      readback_(device, bytes, MemoryKind::kReadback, "staging readback"),
      commands_(device, "staging") {}

void Staging::upload(const Buffer& to, std::uint64_t offset, std::span<const std::byte> data) {
  check_range(to, offset, data.size());
  while (!data.empty()) {
    const std::span<const std::byte> piece = data.first(std::min<std::size_t>(data.size(), upload_.size()));
    std::memcpy(upload_.mapped(), piece.data(), piece.size());
    upload_.flush();
    commands_.begin();
    commands_.copy({upload_.handle(), 0, piece.size()}, {to.handle(), offset, piece.size()});
    commands_.end();
    queue_.wait(queue_.submit(commands_, "staging upload"));
    offset += piece.size();
    data = data.subspan(piece.size());
  }
}

void Staging::download(const Buffer& from, std::uint64_t offset, std::span<std::byte> data) {
  check_range(from, offset, data.size());
  while (!data.empty()) {
    const std::span<std::byte> piece = data.first(std::min<std::size_t>(data.size(), readback_.size()));
    commands_.begin();
    commands_.copy({from.handle(), offset, piece.size()}, {readback_.handle(), 0, piece.size()});
    commands_.end();
    queue_.wait(queue_.submit(commands_, "staging download"));
    readback_.invalidate();
    std::memcpy(piece.data(), readback_.mapped(), piece.size());
    offset += piece.size();
    data = data.subspan(piece.size());
  }
}

void Staging::fill(const Buffer& to, std::uint64_t offset, std::uint64_t size, std::uint32_t word) {
  check_range(to, offset, size);
  if (size == 0) return;
  commands_.begin();
  commands_.fill({to.handle(), offset, size}, word);
  commands_.end();
  queue_.wait(queue_.submit(commands_, "staging fill"));
}

}  // namespace vkgpt::vk
