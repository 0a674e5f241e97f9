#include <algorithm>
#include <filesystem>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include <gtest/gtest.h>

#include "vkgpt/core/json.hpp"
#include "vkgpt/core/utf8.hpp"
#include "vkgpt/model/gguf_writer.hpp"
#include "vkgpt/text/tokenizer/bpe_tokenizer.hpp"
#include "vkgpt/text/tokenizer/gguf_vocabulary.hpp"
#include "vkgpt/text/tokenizer/open_tokenizer.hpp"

#include "support/paths.hpp"
#include "support/temp_directory.hpp"
#include "text/tokenizer/tokenizer_files.hpp"
#include "text/tokenizer/tokenizer_formats.hpp"

namespace vkgpt::text {
namespace {

/// Forms of tokenizer.json with what Hugging Face's tokenizers makes of texts (tools/golden).
const Json& golden() {
  static const Json kGolden = read_json_file(test::source_dir() / "tests/golden/tokenizers.json");
  return kGolden;
}

/// Whether an added token of a form is not special.
bool is_plain(const Json& form, std::string_view name) {
  return std::ranges::any_of(form["tokenizer"]["added_tokens"], [&](const Json& token) {
    return token["content"] == name && token["special"] == false;
  });
}

std::unique_ptr<Tokenizer> parse_form(const Json& form) {
  return parse_tokenizer_json(form["tokenizer"].dump(), {}, "golden");
}

TEST(TokenizerGolden, GivesHuggingFacesTokensAndTexts) {
  ASSERT_GE(golden().size(), 16U);
  for (const auto& [name, form] : golden().items()) {
    const auto tokenizer = parse_form(form);
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

TEST(TokenizerGolden, SpecialNamesCountWhereTheyMay) {
  for (const auto& [name, form] : golden().items()) {
    const auto tokenizer = parse_form(form);
    for (const Json& one : form["cases"]) {
      const auto text = one[0].get<std::string>();
      SCOPED_TRACE(name + ": " + json_quoted(text));
      const auto all = [](std::size_t, std::size_t) { return true; };
      const auto none = [](std::size_t, std::size_t) { return false; };
      EXPECT_EQ(tokenizer->encode_partly_special(text, all), tokenizer->encode_with_special(text));
      const std::vector<Token> plain = tokenizer->encode_partly_special(text, none);
      for (const char* special : {"<a>", "<s>", "</s>"}) {
        if (const auto token = tokenizer->special_token(special); token && !is_plain(form, special)) {
          EXPECT_FALSE(std::ranges::contains(plain, *token)) << special;
        }
      }
    }
  }
}

/// "<a>" twice, of which one may count, after text that a normalizer changes.
TEST(TokenizerGolden, OfTwoNamesTheOneThatMayCounts) {
  for (const char* name : {"lstrip", "rstrip", "bytes", "llama", "precompiled", "lowercase", "nfkc"}) {
    SCOPED_TRACE(name);
    const auto tokenizer = parse_form(golden()[name]);
    const std::string special = tokenizer->special_token("<a>") ? "<a>" : "<s>";
    const auto token = tokenizer->special_token(special);
    if (!token) continue;
    const std::string text = "the dog" + special + " the " + special + "dog";
    const std::size_t second = text.rfind(special);
    for (const bool first_counts : {true, false}) {
      const std::vector<Token> tokens = tokenizer->encode_partly_special(
          text, [&](std::size_t begin, std::size_t) { return (begin < second) == first_counts; });
      EXPECT_EQ(std::ranges::count(tokens, *token), 1);
      const auto at = static_cast<std::size_t>(std::ranges::find(tokens, *token) - tokens.begin());
      const std::string before = tokenizer->decode(std::span(tokens).first(at));
      EXPECT_EQ(before.contains("the dog") && before.size() < 10, first_counts) << before;
    }
  }
}

TEST(TokenizerGolden, GoesThroughGguf) {
  const TempDirectory temp;
  for (const char* name : {"bytes", "llama", "gemma", "unigram", "precompiled"}) {
    SCOPED_TRACE(name);
    const auto tokenizer = parse_form(golden()[name]);
    {
      OutputFile file(temp / "x.gguf");
      const GgufVocabulary vocabulary = gguf_vocabulary(*tokenizer, tokenizer->vocab_size());
      model::write_gguf(file, vocabulary.entries, {}, {});
      file.finish();
    }
    const auto back = load_tokenizer(temp / "x.gguf");
    for (const Json& one : golden()[name]["cases"]) {
      const auto text = one[0].get<std::string>();
      const bool ascii = std::ranges::all_of(text, [](char c) { return c >= 0x20; });
      if (!ascii || text.contains('<') || text.starts_with(' ') || text.ends_with(' ') || text.contains("  "))
        continue;
      EXPECT_EQ(back->encode(text), tokenizer->encode(text)) << text;
    }
    std::filesystem::remove(temp / "x.gguf");
  }
}

TEST(TokenizerGolden, StreamsWhatItDecodes) {
  for (const auto& [name, form] : golden().items()) {
    const auto tokenizer = parse_form(form);
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
    const auto tokenizer = parse_form(form);
    for (const Json& one : form["cases"]) {
      const auto text = one[0].get<std::string>();
      const std::size_t safe = tokenizer->safe_prefix(text);
      std::vector<Token> parts = tokenizer->encode(std::string_view(text).substr(0, safe));
      const std::string_view rest = std::string_view(text).substr(safe);
      safe > 0 ? tokenizer->append_more(rest, parts) : tokenizer->append_tokens(rest, parts);
      EXPECT_EQ(parts, tokenizer->encode(text)) << name << ": " << one[0] << " at " << safe;
    }
  }
}

TEST(TokenizerGolden, ADecoderMayBeASequenceOfOne) {
  for (const auto& [name, form] : golden().items()) {
    Json root = form["tokenizer"];
    if (!root["decoder"].is_object() || root["decoder"].value("type", "") != "ByteLevel") continue;
    root["decoder"] = {{"type", "Sequence"}, {"decoders", {root["decoder"]}}};
    const auto tokenizer = parse_tokenizer_json(root.dump(), {}, name);
    const auto text = form["cases"][0][0].get<std::string>();
    EXPECT_EQ(tokenizer->encode(text), parse_form(form)->encode(text)) << name;
  }
}

/// A long document is cut at the ends of what is seen of it, as `data prepare` does.
TEST(TokenizerGolden, ProseCanBeCutOften) {
  std::string prose;
  for (int i = 0; i < 400; ++i)
    prose += "First Citizen:\nWe are accounted poor citizens, the patricians good. ";
  for (const char* name : {"bytes", "gemma", "llama", "lstrip"}) {
    const auto tokenizer = parse_form(golden()[name]);
    std::vector<Token> parts;
    std::size_t begin = 0, pieces = 0;
    for (std::size_t seen = 4096; seen < prose.size(); seen += 4096) {
      const std::string_view text = std::string_view(prose).substr(begin, seen - begin);
      const std::size_t cut = tokenizer->safe_prefix(text);
      if (cut == 0) continue;
      begin == 0 ? tokenizer->append_tokens(text.substr(0, cut), parts)
                 : tokenizer->append_more(text.substr(0, cut), parts);
      begin += cut;
      ++pieces;
    }
    tokenizer->append_more(std::string_view(prose).substr(begin), parts);
    EXPECT_EQ(pieces, prose.size() / 4096) << name;
    EXPECT_EQ(parts, tokenizer->encode(prose)) << name;
  }
}

TEST(TokenizerGolden, FilesAreHandedOnAndOursSaysTheSame) {
  for (const auto& [name, form] : golden().items()) {
    SCOPED_TRACE(name);
    const auto tokenizer = parse_form(form);
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
