#include "vkgpt/text/corpus/token_file.hpp"

#include <cstring>
#include <filesystem>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "support/expect_error.hpp"
#include "support/temp_directory.hpp"

namespace vkgpt::text {
namespace {

class TokenFileTest : public testing::Test {
 protected:
  Path path() const { return directory_ / "a.bin"; }
  static std::vector<Token> read(const TokenFile& file) {
    std::vector<Token> tokens(file.size());
    file.read(0, tokens);
    return tokens;
  }
  void write(const std::string& contents) { write_file(path(), contents); }
  /// A header's first words.
  static std::string header(std::vector<std::uint32_t> words) {
    words.resize(256);
    std::string bytes(1024, '\0');
    std::memcpy(bytes.data(), words.data(), bytes.size());
    return bytes;
  }
  void refuses(const std::string& contents, const std::string& part) {
    write(contents);
    expect_error([&] { TokenFile file(path()); }, part);
  }

  TempDirectory directory_;
};

TEST_F(TokenFileTest, WritesWhatLlmCReads) {
  const std::vector<Token> tokens = {0, 1, 65535, 258};
  TokenFileWriter writer(path(), 2);
  writer.append(std::span(tokens).first(1));
  writer.append(std::span(tokens).subspan(1));
  EXPECT_FALSE(std::filesystem::exists(path()));
  const std::string hash = writer.finish();
  EXPECT_EQ(read_file(path()), header({20240520, 1, 4}) + std::string("\0\0\1\0\xff\xff\2\1", 8));
  EXPECT_EQ(hash, sha256_file(path()));
  EXPECT_FALSE(std::filesystem::exists(path().string() + ".part"));
  const TokenFile file(path());
  EXPECT_EQ(read(file), tokens);
  EXPECT_EQ(file.format(), "llm.c uint16");

  TokenFileWriter wide(path(), 4);
  const std::vector<Token> large = {70000, 2};
  wide.append(large);
  wide.finish();
  EXPECT_EQ(read_file(path()), header({20240801, 7, 2}) + std::string("\x70\x11\1\0\2\0\0\0", 8));
  EXPECT_EQ(read(TokenFile(path())), large);
}

TEST_F(TokenFileTest, GoesOnBehindWhatWasKept) {
  const std::vector<Token> tokens = {5, 6, 7, 8};
  {
    TokenFileWriter writer(path(), 2);
    writer.append(tokens);
  }
  TokenFileWriter writer(path(), 2, 2);
  writer.append(std::span(tokens).first(1));
  writer.finish();
  EXPECT_EQ(read(TokenFile(path())), (std::vector<Token>{5, 6, 5}));
  write_file(path().string() + ".part", "short");
  expect_error([&] { TokenFileWriter(path(), 2, 2); }, "has fewer than the 2 tokens");
}

TEST_F(TokenFileTest, ReadsFilesWithoutAHeader) {
  write(std::string("\x01\x00\xff\xff", 4));
  EXPECT_EQ(read(TokenFile(path())), (std::vector<Token>{1, 65535}));
  EXPECT_EQ(TokenFile(path()).format(), "uint16 without a header");
}

TEST_F(TokenFileTest, RefusesWhatItIsNot) {
  refuses("", "is empty");
  refuses("abc", "no whole number of 16-bit tokens");
  const std::string two("\1\0\2\0", 4);
  refuses(header({20240520, 1, 3}) + two, "speaks of 3 tokens, which take 1030");
  refuses(header({20240520, 1, 1}) + two, "truncated or damaged");
  refuses(header({20240520, 1, 0xffffffff}) + two, "speaks of 4294967295 tokens");
  refuses(header({20240801, 7, 2}) + two, "which take 1032");
  refuses(header({20240520, 2, 2}) + two, "version 2");
  refuses(header({20240520, 1, 2}).substr(0, 100), "less than the header's 1024");
  refuses(header({std::byteswap(20240520U), 0x01000000, 2}) + two, "big-endian");
  refuses("\x93NUMPY\x01\x00 and so on", "a NumPy array");
  refuses("\x1f\x8b\x08...", "compressed");
  refuses("PAR1....", "a Parquet file");
  refuses(std::string(2000, 'a') + "\n", "text, not tokens");
  expect_error([&] { TokenFile file(directory_.path()); }, "directory");
  expect_error([&] { TokenFile file(directory_ / "none.bin"); }, "none.bin");
}

TEST_F(TokenFileTest, RefusesWiderTokensWithoutAHeader) {
  const auto bytes_of = [](const auto& tokens) {
    return std::string(reinterpret_cast<const char*>(tokens.data()), tokens.size() * sizeof tokens[0]);
  };
  std::vector<std::uint32_t> words(3000);
  std::vector<std::uint64_t> long_words(3000);
  std::vector<std::uint16_t> narrow(3000);
  for (std::size_t i = 0; i < words.size(); ++i) {
    words[i] = static_cast<std::uint32_t>(i * 7919 % 50257);
    long_words[i] = words[i];
    narrow[i] = static_cast<std::uint16_t>(words[i]);
  }
  refuses(bytes_of(words), "every second 16-bit word of its first 4096 bytes is 0");
  refuses(bytes_of(long_words), "32-bit tokens need llm.c's header");
  write(bytes_of(narrow));
  EXPECT_EQ(read(TokenFile(path())).back(), narrow.back());
  for (std::size_t i = 1; i < narrow.size(); i += 2) narrow[i] = i == 1001 ? 1 : 0;
  write(bytes_of(narrow));
  EXPECT_EQ(TokenFile(path()).size(), narrow.size()) << "one token decides";
  write(bytes_of(words).substr(0, 100));
  EXPECT_EQ(TokenFile(path()).size(), 50U) << "few tokens may be 0 by chance";
  write(std::string(8192, '\0'));
  EXPECT_EQ(TokenFile(path()).size(), 4096U) << "all may be 0";
}

TEST(TokenBytes, FollowTheVocabulary) {
  EXPECT_EQ(token_bytes(65536), 2);
  EXPECT_EQ(token_bytes(65537), 4);
}

}  // namespace
}  // namespace vkgpt::text
