#include "vkgpt/text/tokenizer/char_tokenizer.hpp"

#include <algorithm>
#include <bitset>
#include <cstddef>
#include <memory>
#include <utility>

#include "vkgpt/core/check.hpp"
#include "vkgpt/core/error.hpp"
#include "vkgpt/core/format.hpp"
#include "vkgpt/core/json.hpp"
#include "vkgpt/core/utf8.hpp"

#include "text/tokenizer/tokenizer_files.hpp"

namespace vkgpt::text {
namespace {

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
  const Json root = parse_json(json, where);
  const Json& model = json_member(root, "model", where);
  const Json& vocab = json_member(model, "vocab", where);
  const Json& merges = json_member(model, "merges", where);
  if (!merges.is_array() || !merges.empty()) fail("{}: a tokenizer of characters has no merges", where);
  if (!vocab.is_object() || vocab.empty()) fail("{}: it has no characters", where);
  for (const char* step : {"normalizer", "pre_tokenizer"}) {
    if (root.contains(step) && !root[step].is_null()) {
      fail("{}: {} of a tokenizer of characters must be null", where, json_quoted(step));
    }
  }
  if (root.contains("added_tokens") && !root["added_tokens"].empty()) {
    fail("{}: a tokenizer of characters with added tokens is not supported", where);
  }
  std::vector<char32_t> characters;
  for (const auto& [key, number] : vocab.items()) {
    const Utf8Char c = decode_utf8(key, 0);
    if (c.length == 0 || c.length != key.size())
      fail("{}: token {} is not one character", where, json_quoted(key));
    characters.push_back(c.code_point);
  }
  std::ranges::sort(characters);
  for (std::size_t i = 0; i < characters.size(); ++i) {
    std::string key;
    append_utf8(key, characters[i]);
    if (vocab[key] != i) {
      fail("{}: character {} has the number {}, expected {}: they are numbered in the order of code points",
           where, json_quoted(key), json_quoted(vocab[key].dump()), i);
    }
  }
  return CharTokenizer(std::move(characters));
}

std::vector<TokenizerFile> CharTokenizer::own_files() const {
  std::string vocab;
  for (std::size_t i = 0; i < characters_.size(); ++i) {
    std::string character;
    append_utf8(character, characters_[i]);
    vocab += vkgpt::format("{}\n      {}: {}", i == 0 ? "" : ",", json_text(character), i);
  }
  // Hugging Face's BPE begins with characters; without merges they stay.
  std::string json = vkgpt::format(
      "{{\n  \"version\": \"1.0\",\n  \"truncation\": null,\n  \"padding\": null,\n  \"added_tokens\": [],\n"
      "  \"normalizer\": null,\n  \"pre_tokenizer\": null,\n  \"post_processor\": null,\n"
      "  \"decoder\": {{\"type\": \"Fuse\"}},\n  \"model\": {{\n    \"type\": \"BPE\",\n    \"dropout\": "
      "null,\n"
      "    \"unk_token\": null,\n    \"continuing_subword_prefix\": null,\n    \"end_of_word_suffix\": "
      "null,\n"
      "    \"fuse_unk\": false,\n    \"byte_fallback\": false,\n    \"ignore_merges\": false,\n"
      "    \"vocab\": {{{}\n    }},\n    \"merges\": []\n  }}\n}}\n",
      vocab);
  return {{kTokenizerFile, std::move(json)}, {kTokenizerConfigFile, tokenizer_config({}, {})}};
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
