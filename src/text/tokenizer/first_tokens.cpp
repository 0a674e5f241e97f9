#include "text/tokenizer/first_tokens.hpp"

#include <algorithm>
#include <functional>

#include "vkgpt/core/error.hpp"
#include "vkgpt/core/format.hpp"
#include "vkgpt/core/utf8.hpp"

namespace vkgpt::text {
namespace {

/// The bytes of the character at `at`; a byte that is not part of one stands alone.
std::string_view character_at(std::string_view text, std::size_t at) {
  return text.substr(at, std::max<std::size_t>(1, decode_utf8(text, at).length));
}

/// The character that ends before `at`.
std::string_view character_before(std::string_view text, std::size_t at) {
  for (std::size_t length = 1; length <= std::min<std::size_t>(4, at); ++length) {
    if (decode_utf8(text, at - length).length == length) return text.substr(at - length, length);
  }
  return text.substr(at - 1, 1);
}

}  // namespace

FirstTokens::FirstTokens(const BpeVocabulary& vocabulary,
                         const std::unordered_map<std::string_view, Token>& token_of)
    : vocabulary_(vocabulary) {
  const auto find = [&](std::string_view bytes) {
    const auto found = token_of.find(bytes);
    return found == token_of.end() ? Token{-1} : found->second;
  };
  for (unsigned byte = 0; byte < 256; ++byte) {
    const char c = static_cast<char>(byte);
    byte_tokens_[byte] =
        vocabulary.of_characters ? find(vkgpt::format("<0x{:02X}>", byte)) : find(std::string_view(&c, 1));
    complete_ &= byte_tokens_[byte] >= 0;
  }
  if (!vocabulary.of_characters) return;
  pairs_.resize(kPairBits);
  for (const auto& [bytes, token] : token_of) {
    if (character_at(bytes, 0).size() == bytes.size()) characters_.emplace(bytes, token);
    add_neighbours(bytes);
  }
}

std::size_t FirstTokens::pair_slot(std::string_view left, std::string_view right) {
  const std::hash<std::string_view> hash;
  return (hash(left) * 31 + hash(right)) % kPairBits;
}

void FirstTokens::add_neighbours(std::string_view token) {
  std::string_view left = character_at(token, 0);
  for (std::size_t at = left.size(); at < token.size();) {
    const std::string_view right = character_at(token, at);
    pairs_[pair_slot(left, right)] = true;
    left = right;
    at += right.size();
  }
}

bool FirstTokens::may_join(std::string_view text, std::size_t at) const {
  const std::string_view left = character_before(text, at);
  const std::string_view right = character_at(text, at);
  if (pairs_[pair_slot(left, right)]) return true;
  return vocabulary_.fuse_unknown && !characters_.contains(left) && !characters_.contains(right);
}

std::size_t FirstTokens::put(std::string_view word, Token* out) const {
  if (vocabulary_.of_characters) return put_characters(word, out);
  std::size_t count = 0;
  bool unknown = false;
  for (std::size_t i = 0; i < word.size(); ++i) {
    const Token token = byte_tokens_[static_cast<unsigned char>(word[i])];
    if (token >= 0) {
      out[count++] = token;
    } else {
      count = put_unknown(word.substr(i, 1), unknown, out, count);
    }
    unknown = token < 0;
  }
  return count;
}

std::size_t FirstTokens::put_characters(std::string_view word, Token* out) const {
  std::size_t count = 0;
  bool unknown = false;
  for (std::size_t at = 0; at < word.size();) {
    const std::string_view character = character_at(word, at);
    at += character.size();
    if (const auto found = characters_.find(character); found != characters_.end()) {
      out[count++] = found->second;
      unknown = false;
    } else if (vocabulary_.byte_fallback && put_bytes(character, out + count)) {
      count += character.size();
      unknown = false;
    } else {
      count = put_unknown(character, unknown, out, count);
      unknown = true;
    }
  }
  return count;
}

bool FirstTokens::put_bytes(std::string_view character, Token* out) const {
  for (const char c : character) {
    const Token token = byte_tokens_[static_cast<unsigned char>(c)];
    if (token < 0) return false;
    *out++ = token;
  }
  return true;
}

std::size_t FirstTokens::put_unknown(std::string_view character, bool follows_unknown, Token* out,
                                     std::size_t count) const {
  if (!vocabulary_.unknown) {
    fail(
        "the tokenizer has no token for '{}' (byte 0x{:02x}), which the text holds: take it out of the "
        "text, or use another tokenizer",
        printable(character), static_cast<unsigned>(static_cast<unsigned char>(character[0])));
  }
  if (!follows_unknown || !vocabulary_.fuse_unknown) out[count++] = *vocabulary_.unknown;
  return count;
}

}  // namespace vkgpt::text
