#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include <gtest/gtest.h>

#include "vkgpt/core/json.hpp"
#include "vkgpt/core/utf8.hpp"
#include "vkgpt/text/tokenizer/bpe_tokenizer.hpp"

#include "support/paths.hpp"
#include "text/tokenizer/tokenizer_files.hpp"
#include "text/tokenizer/tokenizer_formats.hpp"

namespace vkgpt::text {
namespace {

/// Forms of tokenizer.json with what Hugging Face's tokenizers makes of texts (tools/golden).
const Json& golden() {
  static const Json kGolden = read_json_file(test::source_dir() / "tests/golden/tokenizers.json");
  return kGolden;
}

std::unique_ptr<Tokenizer> parse(const Json& form) {
  return parse_tokenizer_json(form["tokenizer"].dump(), {}, "golden");
}

TEST(TokenizerGolden, GivesHuggingFacesTokensAndTexts) {
  ASSERT_GE(golden().size(), 13U);
  for (const auto& [name, form] : golden().items()) {
    const auto tokenizer = parse(form);
    ASSERT_GE(form["cases"].size(), 8U) << name;
    for (const Json& one : form["cases"]) {
      const auto text = one[0].get<std::string>();
      SCOPED_TRACE(name + ": " + json_quoted(text));
      const auto expected = one[1].get<std::vector<Token>>();
      EXPECT_EQ(tokenizer->encode_with_special(text), expected);
      EXPECT_EQ(replace_invalid_utf8(tokenizer->decode(expected)), one[2].get<std::string>());
    }
  }
}

TEST(TokenizerGolden, StreamsWhatItDecodes) {
  for (const auto& [name, form] : golden().items()) {
    const auto tokenizer = parse(form);
    for (const Json& one : form["cases"]) {
      const auto tokens = one[1].get<std::vector<Token>>();
      StreamDecoder decoder(*tokenizer);
      std::string streamed;
      for (const Token token : tokens) streamed += decoder.push(token);
      streamed += decoder.finish();
      EXPECT_EQ(streamed, replace_invalid_utf8(tokenizer->decode_more(tokens))) << name << one[0];
    }
  }
}

TEST(TokenizerGolden, SafePrefixesKeepTokens) {
  for (const auto& [name, form] : golden().items()) {
    const auto tokenizer = parse(form);
    for (const Json& one : form["cases"]) {
      const auto text = one[0].get<std::string>();
      const std::size_t safe = tokenizer->safe_prefix(text);
      std::vector<Token> parts = tokenizer->encode(std::string_view(text).substr(0, safe));
      tokenizer->append_tokens(std::string_view(text).substr(safe), parts);
      EXPECT_EQ(parts, tokenizer->encode(text)) << name << ": " << one[0] << " at " << safe;
    }
  }
}

TEST(TokenizerGolden, FilesAreHandedOnAndOursSaysTheSame) {
  for (const auto& [name, form] : golden().items()) {
    SCOPED_TRACE(name);
    const auto tokenizer = parse(form);
    EXPECT_EQ(tokenizer->files().front().contents, form["tokenizer"].dump());
    const auto* bpe = dynamic_cast<const BpeTokenizer*>(tokenizer.get());
    if (bpe == nullptr) continue;
    const auto again =
        parse_tokenizer_json(write_tokenizer_json(bpe->vocabulary(), bpe->split()), {}, "ours");
    EXPECT_EQ(again->fingerprint(), tokenizer->fingerprint());
    for (const Json& one : form["cases"]) {
      EXPECT_EQ(again->encode_with_special(one[0].get<std::string>()), one[1].get<std::vector<Token>>());
    }
  }
}

}  // namespace
}  // namespace vkgpt::text
