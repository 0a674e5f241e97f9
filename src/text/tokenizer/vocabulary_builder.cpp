#include "text/tokenizer/vocabulary_builder.hpp"

#include <algorithm>
#include <array>
#include <utility>

#include "vkgpt/core/error.hpp"
#include "vkgpt/core/utf8.hpp"

#include "text/tokenizer/regex_split.hpp"

namespace vkgpt::text {
namespace {

constexpr std::array<std::string_view, 4> kEndOfTextNames = {"<|endoftext|>", "<|im_end|>", "</s>",
                                                             "<|end_of_text|>"};

/// Numbers below this are taken for a vocabulary of `count` tokens: some leave holes, but a small file must
/// not ask for much memory.
std::uint64_t number_limit(std::size_t count) {
  return 2 * std::uint64_t{count} + 4096;
}

}  // namespace

std::span<const std::string_view> end_of_text_names() {
  return kEndOfTextNames;
}

bool is_known_split(const SplitPattern& split) {
  return dynamic_cast<const RegexSplit*>(&split) == nullptr;
}

void VocabularyBuilder::add_vocab(const Json& vocab) {
  if (!vocab.is_object()) fail("{}: the vocabulary must be a JSON object of tokens and numbers", where_);
  numbers_.reserve(vocab.size());
  for (const auto& [token, number] : vocab.items()) {
    if (token.empty()) fail("{}: the vocabulary has an empty token", where_);
    if (!number.is_number_unsigned()) {
      fail("{}: token {} has the number {}", where_, json_quoted(token), json_quoted(number.dump()));
    }
    numbers_.emplace(token, number.get<std::uint64_t>());
  }
}

void VocabularyBuilder::add_special(const std::string& name, std::uint64_t number, bool in_text) {
  if (name.empty()) fail("{}: special token {} has no name", where_, number);
  const auto [found, fresh] = numbers_.emplace(name, number);
  if (found->second != number) {
    fail("{}: token {} has the numbers {} and {}", where_, json_quoted(name), found->second, number);
  }
  if (number >= UINT64_C(1) << 31U) fail("{}: token {} has the number {}", where_, json_quoted(name), number);
  specials_.push_back({.token = static_cast<Token>(number), .name = name, .in_text = in_text});
}

void VocabularyBuilder::add_known_specials(const SpecialNames& names) {
  std::vector<std::string> known = {names.end_of_text, names.begin_of_text};
  known.insert(known.end(), kEndOfTextNames.begin(), kEndOfTextNames.end());
  for (const std::string& name : known) {
    const auto found = numbers_.find(name);
    const bool there = std::ranges::find(specials_, name, &BpeVocabulary::Special::name) != specials_.end();
    if (found != numbers_.end() && !there) add_special(name, found->second, false);
  }
}

void VocabularyBuilder::place_tokens() {
  std::uint64_t size = 0;
  for (const auto& [token, number] : numbers_) {
    if (number >= number_limit(numbers_.size())) {
      fail("{}: token {} has the number {} in a vocabulary of {}", where_, json_quoted(token), number,
           numbers_.size());
    }
    size = std::max(size, number + 1);
  }
  std::vector<bool> special(size);
  for (const BpeVocabulary::Special& one : specials_) special[static_cast<std::size_t>(one.token)] = true;
  vocabulary_.tokens.resize(size);
  for (const auto& [token, number] : numbers_) {
    std::string& place = vocabulary_.tokens[number];
    if (!place.empty())
      fail("{}: two tokens have the number {}, {} is one of them", where_, number, json_quoted(token));
    if (special[number]) {
      place = token;
      continue;
    }
    auto bytes = from_byte_level(token);
    if (!bytes)
      fail("{}: token {} is not a byte-level string: vkgpt reads byte-level BPE", where_, json_quoted(token));
    place = std::move(*bytes);
  }
}

Token VocabularyBuilder::number_of(const std::string& token) const {
  const auto found = numbers_.find(token);
  if (found == numbers_.end()) {
    fail("{}: merge {} needs token {}, which the vocabulary lacks", where_, vocabulary_.merges.size(),
         json_quoted(token));
  }
  return static_cast<Token>(found->second);
}

void VocabularyBuilder::add_merge(std::string_view both) {
  const std::size_t space = both.find(' ');
  if (space == both.npos || both.find(' ', space + 1) != both.npos) {
    fail("{}: merge {} is {}, expected two tokens with a space between them", where_,
         vocabulary_.merges.size(), json_quoted(both));
  }
  add_merge(std::string(both.substr(0, space)), std::string(both.substr(space + 1)));
}

void VocabularyBuilder::add_merge(const std::string& left, const std::string& right) {
  // First the parts: a message about what they give would mislead.
  const Token left_number = number_of(left);
  const Token right_number = number_of(right);
  vocabulary_.merges.push_back(
      {.left = left_number, .right = right_number, .merged = number_of(left + right)});
}

BpeVocabulary VocabularyBuilder::finish(const SpecialNames& names) {
  std::ranges::sort(specials_, {}, &BpeVocabulary::Special::token);
  vocabulary_.specials = std::move(specials_);
  const auto there = [&](std::string_view name) {
    return std::ranges::find(vocabulary_.specials, name, &BpeVocabulary::Special::name) !=
           vocabulary_.specials.end();
  };
  if (there(names.begin_of_text)) vocabulary_.begin_of_text = names.begin_of_text;
  if (there(names.end_of_text)) vocabulary_.end_of_text = names.end_of_text;
  for (const std::string_view name : kEndOfTextNames) {
    if (vocabulary_.end_of_text.empty() && there(name)) vocabulary_.end_of_text = name;
  }
  return std::move(vocabulary_);
}

}  // namespace vkgpt::text
