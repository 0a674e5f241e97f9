#include <string>
#include <utility>

#include "vkgpt/core/check.hpp"
#include "vkgpt/text/tokenizer/byte_level.hpp"
#include "vkgpt/text/tokenizer/make_split.hpp"

#include "text/tokenizer/embedded_gpt2.hpp"
#include "text/tokenizer/tokenizer_formats.hpp"
#include "text/tokenizer/vocabulary_builder.hpp"

namespace vkgpt::text {
namespace {

constexpr const char* kEndOfText = "<|endoftext|>";

void add_end_of_text(BpeVocabulary& vocabulary) {
  vocabulary.specials = {{.token = static_cast<Token>(vocabulary.tokens.size()), .name = kEndOfText}};
  vocabulary.tokens.emplace_back(kEndOfText);
  vocabulary.end_of_text = kEndOfText;
}

}  // namespace

std::vector<std::string_view> merge_lines(std::string_view merges_txt) {
  std::vector<std::string_view> lines;
  bool first = true;
  while (!merges_txt.empty()) {
    const std::size_t end = std::min(merges_txt.find('\n'), merges_txt.size());
    std::string_view line = merges_txt.substr(0, end);
    merges_txt.remove_prefix(std::min(merges_txt.size(), end + 1));
    if (line.ends_with('\r')) line.remove_suffix(1);
    // Only the first line can be a comment: tokens may begin with # too.
    if (!line.empty() && !(std::exchange(first, false) && line.starts_with("#version")))
      lines.push_back(line);
  }
  return lines;
}

std::unique_ptr<BpeTokenizer> make_gpt2_tokenizer() {
  BpeVocabulary vocabulary;
  std::unordered_map<std::string, Token> numbers;
  const auto add = [&](std::string bytes) {
    numbers.emplace(bytes, static_cast<Token>(vocabulary.tokens.size()));
    vocabulary.tokens.push_back(std::move(bytes));
  };
  for (const unsigned char byte : byte_level_order()) add(std::string(1, static_cast<char>(byte)));
  for (const std::string_view line : merge_lines(embedded_gpt2().front().contents)) {
    const std::size_t space = line.find(' ');
    VKGPT_CHECK(space != line.npos);
    const std::string left = from_byte_level(line.substr(0, space)).value();
    const std::string right = from_byte_level(line.substr(space + 1)).value();
    vocabulary.merges.push_back({.left = numbers.at(left),
                                 .right = numbers.at(right),
                                 .merged = static_cast<Token>(vocabulary.tokens.size())});
    add(left + right);
  }
  add_end_of_text(vocabulary);
  return std::make_unique<BpeTokenizer>(std::move(vocabulary), make_split_pattern("gpt2"), "gpt2");
}

std::unique_ptr<BpeTokenizer> make_byte_tokenizer() {
  BpeVocabulary vocabulary;
  for (unsigned byte = 0; byte < 256; ++byte) vocabulary.tokens.emplace_back(1, static_cast<char>(byte));
  add_end_of_text(vocabulary);
  return std::make_unique<BpeTokenizer>(std::move(vocabulary), make_split_pattern("none"), "byte");
}

}  // namespace vkgpt::text
