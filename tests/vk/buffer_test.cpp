#include "vkgpt/vk/buffer.hpp"

#include <utility>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "vkgpt/core/check.hpp"

#include "gpu_context.hpp"
#include "support/expect_error.hpp"

namespace vkgpt::vk {
namespace {

TEST(GpuBuffer, HostVisibleKindsStayMapped) {
  Context& context = test::shared_context();
  for (const MemoryKind kind : {MemoryKind::kUpload, MemoryKind::kReadback}) {
    const Buffer buffer(context.device(), 12, kind, "mapped");
    ASSERT_NE(buffer.mapped(), nullptr);
    EXPECT_EQ(buffer.size(), 12u);
    buffer.mapped()[11] = std::byte{9};
    EXPECT_NO_THROW(buffer.flush());
    EXPECT_NO_THROW(buffer.invalidate());
    EXPECT_EQ(buffer.mapped()[11], std::byte{9});
  }
}

TEST(GpuBuffer, Moves) {
  Context& context = test::shared_context();
  Buffer a(context.device(), 16, MemoryKind::kUpload, "a");
  const VkBuffer handle = a.handle();
  Buffer b = std::move(a);
  EXPECT_EQ(b.handle(), handle);
  EXPECT_EQ(b.size(), 16u);
  a = Buffer(context.device(), 32, MemoryKind::kUpload, "c");
  EXPECT_EQ(a.size(), 32u);
  b = std::move(a);
  EXPECT_EQ(b.size(), 32u);
}

TEST(GpuBuffer, SaysWhatDoesNotFit) {
  Context& context = test::shared_context();
  const std::uint64_t most = context.caps().max_allocation_bytes;
  const std::string text =
      expect_error([&] { Buffer(context.device(), most + 1, MemoryKind::kDevice, "m (V, C)"); },
                   "buffer 'm (V, C)' needs");
  EXPECT_THAT(text, testing::HasSubstr("MiB"));
  EXPECT_THROW(Buffer(context.device(), 0, MemoryKind::kDevice, "empty"), CheckFailure);
}

}  // namespace
}  // namespace vkgpt::vk
