#include "vkgpt/text/char_tokenizer.hpp"

#include <algorithm>
#include <bitset>
#include <cstddef>
#include <format>
#include <memory>
#include <utility>

#include <nlohmann/json.hpp>

#include "vkgpt/core/check.hpp"
#include "vkgpt/core/config_json.hpp"
#include "vkgpt/core/error.hpp"
#include "vkgpt/core/utf8.hpp"

namespace vkgpt::text {
namespace {

constexpr std::string_view kType = "vkgpt-char";
constexpr std::string_view kVersion = "1";

/// The character at `at`, or a message with its position.
Utf8Char character_at(std::string_view text, std::size_t at, std::string_view where) {
  const Utf8Char c = decode_utf8(text, at);
  if (c.length == 0) {
    fail("{} is not UTF-8: invalid byte 0x{:02x} at byte {} (convert it first, e.g. with iconv -t UTF-8)",
         where, static_cast<unsigned>(static_cast<unsigned char>(text[at])), at);
  }
  return c;
}

}  // namespace

CharTokenizer::CharTokenizer(std::vector<char32_t> characters) : characters_(std::move(characters)) {
  ascii_.fill(-1);
  for (std::size_t i = 0; i < characters_.size() && characters_[i] < ascii_.size(); ++i) {
    ascii_[characters_[i]] = static_cast<Token>(i);
  }
}

CharTokenizer CharTokenizer::from_text(std::string_view text, const std::string& where) {
  if (text.empty()) fail("{} is empty", where);
  const auto seen = std::make_unique<std::bitset<0x110000>>();
  for (std::size_t at = 0; at < text.size();) {
    const Utf8Char c = character_at(text, at, where);
    seen->set(c.code_point);
    at += c.length;
  }
  std::vector<char32_t> characters;
  for (char32_t c = 0; c < seen->size(); ++c) {
    if (seen->test(c)) characters.push_back(c);
  }
  return CharTokenizer(std::move(characters));
}

CharTokenizer CharTokenizer::from_json(std::string_view json, const std::string& where) {
  std::string type;
  std::string version;
  std::string text;
  for (Setting& setting : read_flat_json(json, SettingOrigin::kSavedFile, where)) {
    if (setting.key == "type")
      type = std::move(setting.text);
    else if (setting.key == "version")
      version = std::move(setting.text);
    else if (setting.key == "characters")
      text = std::move(setting.text);
    else
      fail("{}: unknown key '{}'", where, printable(setting.key));
  }
  if (type != kType) fail("{}: tokenizer type '{}', expected '{}'", where, printable(type), kType);
  if (version != kVersion) {
    fail("{}: version '{}', this vkgpt reads version {}", where, printable(version), kVersion);
  }
  if (text.empty()) fail("{}: it has no characters", where);
  std::vector<char32_t> characters;
  for (std::size_t at = 0; at < text.size();) {
    const Utf8Char c = character_at(text, at, where);
    if (!characters.empty() && characters.back() >= c.code_point) {
      fail("{}: the characters are not in ascending order at U+{:04X}", where,
           static_cast<std::uint32_t>(c.code_point));
    }
    characters.push_back(c.code_point);
    at += c.length;
  }
  return CharTokenizer(std::move(characters));
}

std::vector<TokenizerFile> CharTokenizer::files() const {
  std::string text;
  for (const char32_t c : characters_) append_utf8(text, c);
  const nlohmann::ordered_json json = {{"type", kType}, {"version", 1}, {"characters", text}};
  return {{kTokenizerFile, json.dump(2) + "\n"}};
}

Token CharTokenizer::token_of(char32_t character) const {
  if (character < ascii_.size()) return ascii_[character];
  const auto found = std::ranges::lower_bound(characters_, character);
  if (found == characters_.end() || *found != character) return -1;
  return static_cast<Token>(found - characters_.begin());
}

void CharTokenizer::append_tokens(std::string_view text, std::vector<Token>& out) const {
  const std::size_t before = out.size();
  for (std::size_t at = 0; at < text.size();) {
    const Utf8Char c = character_at(text, at, "the text");
    const Token token = token_of(c.code_point);
    if (token < 0) {
      fail(
          "character '{}' (U+{:04X}) at position {} of the text is not among the {} characters that the "
          "model knows",
          printable(text.substr(at, c.length)), static_cast<std::uint32_t>(c.code_point),
          out.size() - before + 1, characters_.size());
    }
    out.push_back(token);
    at += c.length;
  }
}

std::size_t CharTokenizer::safe_prefix(std::string_view text) const {
  return complete_utf8_prefix(text);
}

std::string CharTokenizer::decode(std::span<const Token> tokens) const {
  std::string text;
  text.reserve(tokens.size());
  for (const Token token : tokens) {
    VKGPT_CHECK(token >= 0 && token < vocab_size(), "token {} of {}", token, vocab_size());
    append_utf8(text, characters_[static_cast<std::size_t>(token)]);
  }
  return text;
}

}  // namespace vkgpt::text
