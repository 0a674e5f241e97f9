#include "vkgpt/core/hash.hpp"

#include <string>

#include <gtest/gtest.h>

#include "core/sha256_blocks.hpp"

namespace vkgpt {
namespace {

TEST(Sha256, GivesThePublishedDigests) {
  EXPECT_EQ(sha256(""), "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
  EXPECT_EQ(sha256("abc"), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
  EXPECT_EQ(sha256("abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq"),
            "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1");
  EXPECT_EQ(sha256(std::string(1'000'000, 'a')),
            "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0");
}

TEST(Sha256, DoesNotDependOnHowTheBytesArrive) {
  for (std::size_t n = 0; n < 200; ++n) {
    std::string text;
    for (std::size_t i = 0; i < n; ++i) text += static_cast<char>(i * 37 + n);
    Sha256 pieces;
    for (std::size_t at = 0, step = 1; at < n; at += step, step = step * 2 + 1) {
      pieces.update(std::string_view(text).substr(at, step));
    }
    EXPECT_EQ(pieces.hex(), sha256(text)) << n;
    EXPECT_EQ(pieces.hex(), sha256(text)) << "hex() must not disturb the state";
  }
}

TEST(Sha256, InstructionsGiveWhatPortableCodeGives) {
  const Sha256Blocks x86 = sha256_blocks_x86();
  if (x86 == nullptr) GTEST_SKIP() << "this processor has no SHA instructions";
  std::array<std::byte, 64 * 5> data;
  for (std::size_t i = 0; i < data.size(); ++i) data[i] = static_cast<std::byte>(i * i * 31 + i);
  for (std::size_t count = 0; count <= 5; ++count) {
    std::array<std::uint32_t, 8> a = {1, 2, 3, 4, 0xfffffff5, 6, 7, 0x80000008};
    std::array<std::uint32_t, 8> b = a;
    x86(a.data(), data.data(), count);
    sha256_blocks_portable(b.data(), data.data(), count);
    EXPECT_EQ(a, b) << count;
  }
}

}  // namespace
}  // namespace vkgpt
