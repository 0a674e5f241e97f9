#include "vkgpt/text/generate/stop_filter.hpp"

#include <optional>
#include <string>
#include <vector>

#include <gtest/gtest.h>

namespace vkgpt::text {
namespace {

constexpr Token kEnd = 256;

/// One token per byte, and one that ends a text.
class Bytes final : public Tokenizer {
 public:
  std::int64_t vocab_size() const override { return 257; }
  void append_tokens(std::string_view text, std::vector<Token>& out) const override {
    for (const char c : text) out.push_back(static_cast<unsigned char>(c));
  }
  std::size_t safe_prefix(std::string_view text) const override { return text.size(); }
  std::string decode(std::span<const Token> tokens) const override {
    std::string text;
    for (const Token token : tokens)
      text += token == kEnd ? std::string("<end>") : std::string(1, static_cast<char>(token));
    return text;
  }
  std::optional<Token> end_of_text() const override { return kEnd; }
  std::vector<TokenizerFile> own_files() const override { return {}; }
};

/// What the filter shows of `text`, piece by piece with '|' after each token.
std::string shown(const std::string& text, std::vector<std::string> stops, bool end = false) {
  const Bytes tokenizer;
  StopFilter filter(tokenizer, std::move(stops));
  std::string out;
  std::vector<Token> tokens = tokenizer.encode(text);
  if (end) tokens.push_back(kEnd);
  for (const Token token : tokens) {
    out += filter.push(token) + "|";
    if (filter.stopped()) return out + "stopped";
  }
  return out + filter.finish();
}

TEST(StopFilter, ShowsTextAsItComes) {
  EXPECT_EQ(shown("ab", {}), "a|b|");
  EXPECT_EQ(shown("ab", {""}), "a|b|");
  EXPECT_EQ(shown("\xc3\xa9", {}), "|\xc3\xa9|");
  EXPECT_EQ(shown("a\xc3", {}), "a||\xef\xbf\xbd");
}

TEST(StopFilter, HoldsBackWhatMayBecomeAStop) {
  EXPECT_EQ(shown("a\n\nb", {"\n\n"}), "a|||stopped");
  EXPECT_EQ(shown("a\nb", {"\n\n"}), "a||\nb|");
  EXPECT_EQ(shown("a\n", {"\n\n"}), "a||\n");
  EXPECT_EQ(shown("xababac", {"abac", "zz"}), "x||||ab|||stopped")
      << "the stop begins inside of what was held";
  EXPECT_EQ(shown("abc", {"c", "abc"}),
            "||"
            "|stopped")
      << "the first stop in the text counts";
}

TEST(StopFilter, EndsAtTheEndOfText) {
  EXPECT_EQ(shown("ab", {"bc"}, true), "a||b|stopped");
}

}  // namespace
}  // namespace vkgpt::text
