#include "vkgpt/vk/staging.hpp"

#include <cstddef>
#include <span>
#include <vector>

#include <gtest/gtest.h>

#include "vkgpt/core/check.hpp"

#include "gpu_context.hpp"

namespace vkgpt::vk {
namespace {

std::vector<std::byte> pattern(std::size_t size, unsigned seed) {
  std::vector<std::byte> bytes(size);
  for (std::size_t i = 0; i < size; ++i)
    bytes[i] = static_cast<std::byte>((i * 131 + seed * 17 + i / 251) & 0xff);
  return bytes;
}

TEST(GpuStaging, RoundTripsOddSizesAndOffsets) {
  Context& context = test::shared_context();
  for (const std::size_t size : {1u, 3u, 4u, 63u, 1000003u}) {
    const Buffer buffer(context.device(), size + 7, MemoryKind::kDevice, "round trip");
    const std::vector<std::byte> sent = pattern(size, 1);
    context.staging().upload(buffer, 7, sent);
    std::vector<std::byte> received(size);
    context.staging().download(buffer, 7, received);
    EXPECT_EQ(sent, received) << size;
  }
}

TEST(GpuStaging, SplitsWhatExceedsItsBuffer) {
  Context& context = test::shared_context();
  Staging staging(context.device(), context.queue(), 1000);
  const Buffer buffer(context.device(), 4099, MemoryKind::kDevice, "pieces");
  const std::vector<std::byte> sent = pattern(4099, 2);
  const std::uint64_t before = context.queue().submitted();
  staging.upload(buffer, 0, sent);
  EXPECT_EQ(context.queue().submitted() - before, 5u);
  std::vector<std::byte> received(4099);
  staging.download(buffer, 0, received);
  EXPECT_EQ(sent, received);
}

TEST(GpuStaging, UploadTouchesOnlyItsRange) {
  Context& context = test::shared_context();
  const Buffer buffer(context.device(), 64, MemoryKind::kDevice, "sentinels");
  context.staging().fill(buffer, 0, 64, 0xabababab);
  const std::vector<std::byte> sent = pattern(9, 3);
  context.staging().upload(buffer, 5, sent);
  std::vector<std::byte> all(64);
  context.staging().download(buffer, 0, all);
  for (std::size_t i = 0; i < all.size(); ++i) {
    EXPECT_EQ(all[i], i >= 5 && i < 14 ? sent[i - 5] : std::byte{0xab}) << i;
  }
}

TEST(GpuStaging, FillsWords) {
  Context& context = test::shared_context();
  const Buffer buffer(context.device(), 16, MemoryKind::kDevice, "fill");
  context.staging().fill(buffer, 0, 16, 0x11111111);
  context.staging().fill(buffer, 4, 8, 0xdeadbeef);
  std::vector<std::uint32_t> words(4);
  context.staging().download(buffer, 0, std::as_writable_bytes(std::span(words)));
  EXPECT_EQ(words, (std::vector<std::uint32_t>{0x11111111, 0xdeadbeef, 0xdeadbeef, 0x11111111}));
}

TEST(GpuStaging, ChecksTheRange) {
  Context& context = test::shared_context();
  const Buffer buffer(context.device(), 16, MemoryKind::kDevice, "small");
  EXPECT_THROW(context.staging().upload(buffer, 8, pattern(9, 0)), CheckFailure);
  std::vector<std::byte> received(1);
  EXPECT_THROW(context.staging().download(buffer, 17, received), CheckFailure);
}

}  // namespace
}  // namespace vkgpt::vk
