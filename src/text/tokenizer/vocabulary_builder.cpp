#include "text/tokenizer/vocabulary_builder.hpp"

#include <algorithm>
#include <array>
#include <utility>

#include "vkgpt/core/error.hpp"
#include "vkgpt/core/utf8.hpp"
#include "vkgpt/text/tokenizer/byte_level.hpp"

#include "text/tokenizer/json_fields.hpp"
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
    if (!number.is_number_unsigned()) {
      fail("{}: token {} has the number {}", where_, json_quoted(token), json_quoted(number.dump()));
    }
    add_token(token, number.get<std::uint64_t>());
  }
}

void VocabularyBuilder::add_token(const std::string& token, std::uint64_t number) {
  numbers_.emplace(token, number);
  vocab_count_ = numbers_.size();
}

void VocabularyBuilder::add_special(AddedToken token) {
  if (token.name.empty() || std::ranges::contains(specials_, token.name, &AddedToken::name)) return;
  const auto [found, fresh] =
      numbers_.emplace(token.name, std::max<std::uint64_t>(vocab_count_, added_limit_));
  if (found->second >= UINT64_C(1) << 31U) {
    fail("{}: token {} has the number {}", where_, json_quoted(token.name), found->second);
  }
  added_limit_ = std::max(added_limit_, found->second + 1);
  token.token = static_cast<Token>(found->second);
  specials_.push_back(std::move(token));
}

void VocabularyBuilder::add_named_specials(const SpecialNames& names) {
  for (const AddedToken& token : names.added) add_special(token);
  for (const std::string& name : {names.begin_of_text, names.end_of_text, names.pad}) {
    if (numbers_.contains(name)) add_special({.token = 0, .name = name});
  }
}

void VocabularyBuilder::add_usual_specials() {
  for (const std::string_view usual : kEndOfTextNames) {
    std::string name(usual);
    if (numbers_.contains(name)) add_special({.token = 0, .name = std::move(name)});
  }
}

void VocabularyBuilder::place_tokens() {
  if (numbers_.empty()) fail("{}: the vocabulary is empty", where_);
  std::uint64_t size = 0;
  for (const auto& [token, number] : numbers_) {
    if (number >= number_limit(numbers_.size())) {
      fail("{}: token {} has the number {} in a vocabulary of {}", where_, json_quoted(token), number,
           numbers_.size());
    }
    size = std::max(size, number + 1);
  }
  std::vector<bool> special(size);
  for (const AddedToken& one : specials_) special[static_cast<std::size_t>(one.token)] = true;
  std::vector<bool> taken(size);
  vocabulary_.tokens.resize(size);
  for (const auto& [token, number] : numbers_) {
    std::string& place = vocabulary_.tokens[number];
    if (taken[number])
      fail("{}: two tokens have the number {}, {} is one of them", where_, number, json_quoted(token));
    taken[number] = true;
    // An added token stands for its name, unless that is clearly written as bytes: a merge may give it.
    auto bytes = of_characters_ ? std::nullopt : from_byte_level(token);
    const bool has_space = bytes && std::ranges::any_of(*bytes, [](char c) { return c >= 0 && c <= ' '; });
    if (of_characters_ || (special[number] && !has_space)) {
      place = token;
      continue;
    }
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

void VocabularyBuilder::add_merges(const Json& model) {
  for (const Json& merge : list_member(model, "merges", where_)) {
    if (merge.is_string()) {
      add_merge(merge.get_ref<const std::string&>());
    } else if (merge.is_array() && merge.size() == 2 && merge[0].is_string() && merge[1].is_string()) {
      add_merge(merge[0].get_ref<const std::string&>(), merge[1].get_ref<const std::string&>());
    } else {
      fail("{}: a merge must be a string \"left right\" or a list of two strings", where_);
    }
  }
}

BpeVocabulary VocabularyBuilder::finish(const SpecialNames& names, const std::string& unknown) {
  if (!unknown.empty()) {
    const auto found = numbers_.find(unknown);
    if (found != numbers_.end()) vocabulary_.unknown = static_cast<Token>(found->second);
  }
  vocabulary_.of_characters = of_characters_;
  std::ranges::sort(specials_, {}, &BpeVocabulary::Special::token);
  vocabulary_.specials = std::move(specials_);
  const auto there = [&](std::string_view name) {
    return std::ranges::find(vocabulary_.specials, name, &BpeVocabulary::Special::name) !=
           vocabulary_.specials.end();
  };
  if (there(names.begin_of_text)) vocabulary_.begin_of_text = names.begin_of_text;
  if (there(names.end_of_text)) vocabulary_.end_of_text = names.end_of_text;
  for (const AddedToken& one : vocabulary_.specials) {
    if (vocabulary_.end_of_text.empty() && !names.end_ids.empty() && one.token == names.end_ids.front()) {
      vocabulary_.end_of_text = one.name;
    }
  }
  for (const std::string_view name : kEndOfTextNames) {
    if (vocabulary_.end_of_text.empty() && there(name)) vocabulary_.end_of_text = name;
  }
  return std::move(vocabulary_);
}

}  // namespace vkgpt::text
