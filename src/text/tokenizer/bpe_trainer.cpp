#include "vkgpt/text/tokenizer/bpe_trainer.hpp"

#include <algorithm>
#include <array>
#include <memory>
#include <set>
#include <string_view>
#include <thread>
#include <utility>

#include "vkgpt/core/error.hpp"
#include "vkgpt/core/json.hpp"
#include "vkgpt/core/utf8.hpp"
#include "vkgpt/text/tokenizer/byte_level.hpp"
#include "vkgpt/text/tokenizer/make_split.hpp"

#include "text/tokenizer/pair_counts.hpp"

namespace vkgpt::text {
namespace {

/// Special tokens, then bytes.
BpeVocabulary first_tokens(const BpeTrainerConfig& config) {
  BpeVocabulary vocabulary;
  std::set<std::string_view> seen;
  for (const std::string& name : config.special_tokens) {
    if (name.empty()) fail_usage("a special token has no name");
    if (find_invalid_utf8(name) != std::string::npos) {
      fail_usage("special token '{}' is not UTF-8", printable(name));
    }
    if (!seen.insert(name).second) fail_usage("special token {} is there twice", json_quoted(name));
    vocabulary.specials.push_back(
        {.token = static_cast<Token>(vocabulary.tokens.size()), .name = name, .in_text = false});
    vocabulary.tokens.push_back(name);
  }
  if (!config.special_tokens.empty()) vocabulary.end_of_text = config.special_tokens.front();

  for (const unsigned char byte : byte_level_order()) {
    std::string& bytes = vocabulary.tokens.emplace_back(1, static_cast<char>(byte));
    if (const std::string character = to_byte_level(bytes); seen.contains(character)) {
      fail_usage("special token {} is the name of a byte: give it a longer one", json_quoted(character));
    }
  }
  return vocabulary;
}

void check_size(const BpeTrainerConfig& config, std::size_t least) {
  if (config.vocab_size < static_cast<std::int64_t>(least)) {
    fail_usage("a vocabulary of {} is too small: the 256 bytes and {} special tokens need {}",
               config.vocab_size, config.special_tokens.size(), least);
  }
  if (config.vocab_size > kMaxBpeVocabSize) {
    fail_usage("a vocabulary of {} is too large: at most {}", config.vocab_size, kMaxBpeVocabSize);
  }
  if (config.min_frequency < 1) fail_usage("a minimum frequency of {}: at least 1", config.min_frequency);
}

}  // namespace

std::optional<BpeVocabulary> train_bpe(const NextPiece& next, const BpeTrainerConfig& config,
                                       const OnBpeProgress& on_progress) {
  BpeVocabulary vocabulary = first_tokens(config);
  std::vector<std::string>& tokens = vocabulary.tokens;
  const std::size_t special_count = config.special_tokens.size();
  check_size(config, tokens.size());
  std::array<Token, 256> byte_tokens{};
  for (std::size_t i = special_count; i < tokens.size(); ++i) {
    byte_tokens[static_cast<unsigned char>(tokens[i].front())] = static_cast<Token>(i);
  }

  BpeProgress progress;
  const auto go_on = [&] { return !on_progress || on_progress(progress); };
  const std::size_t threads =
      config.threads > 0 ? config.threads : std::max(1U, std::thread::hardware_concurrency());
  std::optional<std::vector<WordTable>> words =
      count_words(next, *make_split_pattern(config.split_pattern), threads, [&](std::uint64_t text_bytes) {
        progress.text_bytes = text_bytes;
        return go_on();
      });
  if (!words) return std::nullopt;

  PairCounts pairs(std::move(*words), byte_tokens, static_cast<std::uint64_t>(config.min_frequency));
  const std::set<std::string_view> names(config.special_tokens.begin(), config.special_tokens.end());
  while (static_cast<std::int64_t>(tokens.size()) < config.vocab_size) {
    progress.tokens = static_cast<std::int64_t>(tokens.size());
    if (!go_on()) return std::nullopt;
    const std::optional<PairCounts::Pair> pair = pairs.take_strongest();
    if (!pair) break;
    std::string bytes =
        tokens[static_cast<std::size_t>(pair->left)] + tokens[static_cast<std::size_t>(pair->right)];
    if (names.contains(to_byte_level(bytes))) continue;
    const auto merged = static_cast<Token>(tokens.size());
    pairs.merge(merged);
    vocabulary.merges.push_back({.left = pair->left, .right = pair->right, .merged = merged});
    tokens.push_back(std::move(bytes));
  }
  return vocabulary;
}

}  // namespace vkgpt::text
