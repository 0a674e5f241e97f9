#include <algorithm>
#include <array>
#include <charconv>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

#include "vkgpt/core/error.hpp"
#include "vkgpt/core/utf8.hpp"
#include "vkgpt/text/tokenizer/make_split.hpp"

#include "text/tokenizer/base64.hpp"
#include "text/tokenizer/tokenizer_formats.hpp"

namespace vkgpt::text {
namespace {

struct NamedToken {
  std::string_view name;
  Token token = 0;
};

/// An encoding of tiktoken's `openai_public.py`.
struct Encoding {
  std::string_view name;
  std::size_t rank_count = 0;
  std::string_view split;
  std::vector<NamedToken> specials;
};

const std::vector<Encoding>& encodings() {
  static const std::vector<Encoding> kEncodings = {
      {.name = "r50k_base", .rank_count = 50256, .split = "gpt2", .specials = {{"<|endoftext|>", 50256}}},
      {.name = "p50k_base", .rank_count = 50280, .split = "gpt2", .specials = {{"<|endoftext|>", 50256}}},
      {.name = "cl100k_base",
       .rank_count = 100256,
       .split = "cl100k",
       .specials = {{"<|endoftext|>", 100257},
                    {"<|fim_prefix|>", 100258},
                    {"<|fim_middle|>", 100259},
                    {"<|fim_suffix|>", 100260},
                    {"<|endofprompt|>", 100276}}},
      {.name = "o200k_base",
       .rank_count = 199998,
       .split = "o200k",
       .specials = {{"<|endoftext|>", 199999}, {"<|endofprompt|>", 200018}}},
  };
  return kEncodings;
}

const Encoding& find_encoding(std::string_view file_name, std::size_t rank_count, const std::string& where) {
  for (const Encoding& encoding : encodings()) {
    // "cl100k" is enough.
    if (file_name.find(encoding.name.substr(0, encoding.name.find('_'))) != file_name.npos) return encoding;
  }
  for (const Encoding& encoding : encodings()) {
    if (encoding.rank_count == rank_count) return encoding;
  }
  fail(
      "{}: {} ranks belong to no encoding that vkgpt knows: let the name of the file say whose split pattern "
      "to use "
      "(r50k, p50k, cl100k, o200k)",
      where, rank_count);
}

/// Tokens by rank; empty where a rank is left out.
std::vector<std::string> parse_ranks(std::string_view text, std::size_t& count, const std::string& where) {
  const std::size_t lines = static_cast<std::size_t>(std::ranges::count(text, '\n')) + 1;
  const std::size_t limit =
      2 * lines + 4096;  // some leave holes, but a small file must not ask for much memory
  std::vector<std::string> tokens;
  std::size_t line = 0;
  while (!text.empty()) {
    ++line;
    const std::size_t end = std::min(text.find('\n'), text.size());
    std::string_view entry = text.substr(0, end);
    text.remove_prefix(std::min(text.size(), end + 1));
    if (entry.ends_with('\r')) entry.remove_suffix(1);
    if (entry.empty()) continue;
    const std::size_t space = std::min(entry.find(' '), entry.size());
    const auto token = decode_base64(entry.substr(0, space));
    if (!token) fail("{}: line {} does not begin with base64: '{}'", where, line, printable(entry));
    const std::string_view digits = entry.substr(std::min(entry.size(), space + 1));
    std::size_t rank = 0;
    const auto parsed = std::from_chars(digits.data(), digits.data() + digits.size(), rank);
    if (parsed.ec != std::errc() || parsed.ptr != digits.data() + digits.size() || rank >= limit) {
      fail("{}: line {} has the rank '{}', expected a number below {}", where, line, printable(digits),
           limit);
    }
    if (rank >= tokens.size()) tokens.resize(rank + 1);
    if (!tokens[rank].empty()) fail("{}: line {} repeats rank {}", where, line, rank);
    tokens[rank] = *token;
    ++count;
  }
  if (count == 0) fail("{}: it has no ranks", where);
  return tokens;
}

/// tiktoken joins neighbours whenever that gives a token, the one of the lowest rank first: each way to cut a
/// token into two others is a merge.
std::vector<BpeVocabulary::Merge> merges_of_ranks(const std::vector<std::string>& tokens,
                                                  const std::string& where) {
  constexpr std::size_t kMaxTokenBytes = 4096;
  std::unordered_map<std::string_view, Token> numbers;
  numbers.reserve(tokens.size());
  for (std::size_t rank = 0; rank < tokens.size(); ++rank) {
    if (tokens[rank].size() > kMaxTokenBytes) {
      fail("{}: the token of rank {} has {} bytes, at most {} are read", where, rank, tokens[rank].size(),
           kMaxTokenBytes);
    }
    if (tokens[rank].empty()) continue;
    const auto [same, fresh] = numbers.emplace(tokens[rank], static_cast<Token>(rank));
    if (!fresh) {
      fail("{}: ranks {} and {} are both the token '{}'", where, same->second, rank, printable(tokens[rank]));
    }
  }
  std::vector<BpeVocabulary::Merge> merges;
  for (std::size_t rank = 0; rank < tokens.size(); ++rank) {
    const std::string_view token = tokens[rank];
    const std::size_t first = merges.size();
    for (std::size_t cut = 1; cut < token.size(); ++cut) {
      const auto left = numbers.find(token.substr(0, cut));
      if (left == numbers.end()) continue;
      const auto right = numbers.find(token.substr(cut));
      if (right == numbers.end()) continue;
      merges.push_back({.left = left->second, .right = right->second, .merged = static_cast<Token>(rank)});
    }
    // The order in which transformers converts ranks to merges.
    std::sort(
        merges.begin() + static_cast<std::ptrdiff_t>(first), merges.end(),
        [](const auto& a, const auto& b) { return std::pair(a.left, a.right) < std::pair(b.left, b.right); });
  }
  return merges;
}

void add_specials(BpeVocabulary& vocabulary, const Encoding& encoding, bool whole) {
  for (const NamedToken& special : encoding.specials) {
    // Of an encoding that was cut short only the end of text has a meaning, after the last token.
    const Token token = whole ? special.token : static_cast<Token>(vocabulary.tokens.size());
    if (static_cast<std::size_t>(token) >= vocabulary.tokens.size()) {
      vocabulary.tokens.resize(static_cast<std::size_t>(token) + 1);
    }
    vocabulary.tokens[static_cast<std::size_t>(token)] = special.name;
    vocabulary.specials.push_back({.token = token, .name = std::string(special.name)});
    if (!whole) break;
  }
  vocabulary.end_of_text = encoding.specials.front().name;
}

}  // namespace

std::unique_ptr<BpeTokenizer> parse_tiktoken(std::string_view ranks, std::string_view file_name,
                                             const std::string& where) {
  std::size_t count = 0;
  BpeVocabulary vocabulary;
  vocabulary.tokens = parse_ranks(ranks, count, where);
  const Encoding& encoding = find_encoding(file_name, count, where);
  vocabulary.merges = merges_of_ranks(vocabulary.tokens, where);
  vocabulary.ignore_merges = true;
  const auto end = static_cast<std::size_t>(encoding.specials.front().token);
  const bool free = end >= vocabulary.tokens.size() || vocabulary.tokens[end].empty();
  add_specials(vocabulary, encoding, count == encoding.rank_count && free);
  return std::make_unique<BpeTokenizer>(std::move(vocabulary), make_split_pattern(encoding.split), where);
}

}  // namespace vkgpt::text
