#include "vkgpt/text/tokenizer/char_tokenizer.hpp"

#include <filesystem>
#include <string>

#include <gtest/gtest.h>

#include "vkgpt/core/check.hpp"
#include "vkgpt/core/error.hpp"
#include "vkgpt/core/json.hpp"
#include "vkgpt/text/tokenizer/open_tokenizer.hpp"

namespace vkgpt::text {
namespace {

/// The message of the `Error` (exit 1) that `body` throws.
template <typename Body>
std::string message_of(Body body) {
  try {
    body();
  } catch (const Error& error) {
    EXPECT_EQ(error.exit_code(), ExitCode::kFailure);
    EXPECT_EQ(std::string(error.what()).find('\n'), std::string::npos);
    return error.what();
  }
  ADD_FAILURE() << "nothing was thrown";
  return {};
}

TEST(CharTokenizer, NumbersCodePointsInOrder) {
  const auto tokenizer = CharTokenizer::from_text(
      "b\xc3\xa9\na\xf0\x9f\x98\x80\xe2\x82\xac"
      "a",
      "t");
  EXPECT_EQ(tokenizer.vocab_size(), 6);
  EXPECT_EQ(tokenizer.encode("\nab\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80"),
            (std::vector<Token>{0, 1, 2, 3, 4, 5}));
}

TEST(CharTokenizer, RoundTripsTextAndFile) {
  const std::string text =
      std::string("nul\0 tab\t \x7f quote\" \\ ", 22) + "gr\xc3\xbc\xc3\x9f \xf4\x8f\xbf\xbf \xef\xbf\xbd";
  const auto tokenizer = CharTokenizer::from_text(text, "t");
  EXPECT_EQ(tokenizer.decode(tokenizer.encode(text)), text);

  const Path directory = std::filesystem::path(testing::TempDir()) / "char_tokenizer_test";
  std::filesystem::create_directories(directory);
  write_file(Path(directory) / kTokenizerFile, tokenizer.files().front().contents);
  const auto loaded = load_tokenizer(directory);
  EXPECT_EQ(loaded->vocab_size(), tokenizer.vocab_size());
  EXPECT_EQ(loaded->encode(text), tokenizer.encode(text));
  EXPECT_EQ(loaded->decode(tokenizer.encode(text)), text);
  std::filesystem::remove_all(directory);
}

TEST(CharTokenizer, NamesACharacterThatItLacksAndItsPosition) {
  const auto tokenizer = CharTokenizer::from_text("ab\xc3\xa9", "t");
  EXPECT_EQ(
      message_of([&] { tokenizer.encode("a\xc3\xa9z"); }),
      "character 'z' (U+007A) at position 3 of the text is not among the 3 characters that the model knows");
  EXPECT_EQ(message_of([&] { tokenizer.encode("\n"); }).substr(0, 25), "character '\\x0a' (U+000A)");
  EXPECT_NE(message_of([&] { tokenizer.encode("\xf0\x9f\x98\x80"); }).find("U+1F600"), std::string::npos);
}

TEST(CharTokenizer, RefusesTextThatIsNotUtf8WithTheOffset) {
  EXPECT_EQ(
      message_of([] { CharTokenizer::from_text("abc\xff", "text a.txt"); }),
      "text a.txt is not UTF-8: invalid byte 0xff at byte 3 (convert it first, e.g. with iconv -t UTF-8)");
  EXPECT_EQ(message_of([] { CharTokenizer::from_text("", "text a.txt"); }), "text a.txt is empty");
  const auto tokenizer = CharTokenizer::from_text("a", "t");
  EXPECT_NE(message_of([&] { tokenizer.encode("a\xc3"); }).find("at byte 1"), std::string::npos);
}

TEST(CharTokenizer, TokenOutsideTheVocabularyIsADefect) {
  const auto tokenizer = CharTokenizer::from_text("ab", "t");
  EXPECT_THROW(tokenizer.decode(std::vector<Token>{2}), CheckFailure);
  EXPECT_THROW(tokenizer.decode(std::vector<Token>{-1}), CheckFailure);
}

/// What `files` writes, with other members of the model.
std::string char_json(const std::string& model, const std::string& more = "") {
  return R"({"version":"1.0",)" + more + R"("decoder":{"type":"Fuse"},"model":{"type":"BPE",)" + model + "}}";
}

TEST(CharTokenizer, FileIsHuggingFacesAndStaysTheSame) {
  const auto tokenizer = CharTokenizer::from_text("b\xc3\xa9\n\"a", "t");
  const std::string json = tokenizer.files().front().contents;
  const Json root = parse_json(json, "t");
  EXPECT_EQ(root["model"]["type"], "BPE");
  EXPECT_EQ(root["model"]["vocab"], (Json{{"\n", 0}, {"\"", 1}, {"a", 2}, {"b", 3}, {"\u00e9", 4}}));
  EXPECT_EQ(CharTokenizer::from_json(json, "t").files().front().contents, json);
  EXPECT_EQ(tokenizer.files()[1].name, "tokenizer_config.json");
}

TEST(CharTokenizer, RefusesHostileFiles) {
  EXPECT_EQ(CharTokenizer::from_json(char_json(R"("vocab":{"a":0},"merges":[])"), "t").vocab_size(), 1);
  for (const std::string& json :
       {std::string("{}"), std::string("[]"), char_json(R"("vocab":{},"merges":[])"),
        char_json(R"("vocab":{"a":1,"b":0},"merges":[])"), char_json(R"("vocab":{"a":0,"b":0},"merges":[])"),
        char_json(R"("vocab":{"a":0,"a":1},"merges":[])"), char_json(R"("vocab":{"a":-1},"merges":[])"),
        char_json(R"("vocab":{"a":1e99},"merges":[])"), char_json(R"("vocab":{"ab":0},"merges":[])"),
        char_json(R"("vocab":{"":0},"merges":[])"), char_json(R"("vocab":["a"],"merges":[])"),
        char_json(R"("vocab":{"a":0},"merges":["a a"])"), char_json(R"("vocab":{"a":0})"),
        char_json(R"("vocab":{"\ud800":0},"merges":[])"),
        char_json(R"("vocab":{"a":0},"merges":[])").substr(0, 60),
        char_json(R"("vocab":{"a":0},"merges":[])", R"("normalizer":{"type":"NFC"},)"),
        char_json(R"("vocab":{"a":0},"merges":[])", R"("added_tokens":[1],)")}) {
    EXPECT_EQ(message_of([&] { CharTokenizer::from_json(json, "t.json"); }).substr(0, 7), "t.json:") << json;
  }
  EXPECT_NE(message_of([] { load_tokenizer("/nonexistent"); }).find("no tokenizer.json"), std::string::npos);
}

TEST(StreamDecoder, HandsOutWholeCharacters) {
  // One token per byte, as a byte-level vocabulary has.
  class ByteTokenizer final : public Tokenizer {
   public:
    std::int64_t vocab_size() const override { return 256; }
    void append_tokens(std::string_view, std::vector<Token>&) const override {}
    std::size_t safe_prefix(std::string_view) const override { return 0; }
    std::string decode(std::span<const Token> tokens) const override {
      std::string text;
      for (const Token token : tokens) text += static_cast<char>(token);
      return text;
    }
    std::vector<TokenizerFile> own_files() const override { return {}; }
  };
  const ByteTokenizer tokenizer;
  StreamDecoder decoder(tokenizer);
  const auto push = [&](unsigned byte) { return decoder.push(static_cast<Token>(byte)); };
  EXPECT_EQ(push('a'), "a");
  for (const unsigned byte : {0xf0U, 0x9fU, 0x98U}) EXPECT_EQ(push(byte), "");
  EXPECT_EQ(push(0x80), "\xf0\x9f\x98\x80");
  EXPECT_EQ(push(0xe2), "");
  EXPECT_EQ(push('z'), "\xef\xbf\xbdz");
  EXPECT_EQ(push(0xff), "\xef\xbf\xbd");
  EXPECT_EQ(push(0xe2), "");
  EXPECT_EQ(decoder.finish(), "\xef\xbf\xbd");
  EXPECT_EQ(decoder.finish(), "");
}

}  // namespace
}  // namespace vkgpt::text
