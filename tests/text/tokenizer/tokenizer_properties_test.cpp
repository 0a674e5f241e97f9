// What holds of any tokenizer, on random texts.

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include <gtest/gtest.h>

#include "vkgpt/text/tokenizer/char_tokenizer.hpp"
#include "vkgpt/text/tokenizer/open_tokenizer.hpp"
#include "vkgpt/text/tokenizer/tokenizer.hpp"

#include "support/random_cases.hpp"

namespace vkgpt::text {
namespace {

using test::Random;

constexpr std::uint64_t kCases = 300;

/// A tokenizer that can express `text`.
std::unique_ptr<Tokenizer> make(const std::string& kind, const std::string& text) {
  if (kind == "char") return std::make_unique<CharTokenizer>(CharTokenizer::from_text(text + "x", "text"));
  return open_tokenizer(kind);
}

class TokenizerProperties : public testing::TestWithParam<const char*> {
 protected:
  /// Opened once, but for "char", whose vocabulary is the text's.
  const Tokenizer& of(const std::string& text) {
    if (tokenizer_ == nullptr || std::string_view(GetParam()) == "char") tokenizer_ = make(GetParam(), text);
    return *tokenizer_;
  }

 private:
  std::unique_ptr<Tokenizer> tokenizer_;
};

TEST_P(TokenizerProperties, DecodeUndoesEncode) {
  test::for_random_cases(kCases, [this](Random& random) {
    const std::string text = random.text(400);
    const Tokenizer& tokenizer = of(text);
    const std::vector<Token> tokens = tokenizer.encode(text);
    for (const Token token : tokens) {
      ASSERT_GE(token, 0);
      ASSERT_LT(token, tokenizer.vocab_size());
    }
    EXPECT_EQ(tokenizer.decode(tokens), text);
  });
}

TEST_P(TokenizerProperties, AStreamShowsTheSameText) {
  test::for_random_cases(kCases, [this](Random& random) {
    const std::string text = random.text(100);
    const Tokenizer& tokenizer = of(text);
    StreamDecoder stream(tokenizer);
    std::string shown;
    for (const Token token : tokenizer.encode(text)) shown += stream.push(token);
    EXPECT_EQ(shown + stream.finish(), text);
  });
}

TEST_P(TokenizerProperties, ASafePrefixHasTheTokensOfTheWhole) {
  test::for_random_cases(kCases, [this](Random& random) {
    const std::string text = random.text(400);
    const Tokenizer& tokenizer = of(text);
    const std::string seen = text.substr(0, random.below(text.size() + 1));
    const std::size_t cut = tokenizer.safe_prefix(seen);
    ASSERT_LE(cut, seen.size());
    std::vector<Token> tokens = tokenizer.encode(text.substr(0, cut));
    tokenizer.append_more(std::string_view(text).substr(cut), tokens);
    EXPECT_EQ(tokens, tokenizer.encode(text));
  });
}

INSTANTIATE_TEST_SUITE_P(Kinds, TokenizerProperties, testing::Values("char", "byte", "gpt2"));

}  // namespace
}  // namespace vkgpt::text
