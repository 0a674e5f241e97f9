#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "vkgpt/text/bpe_tokenizer.hpp"

namespace vkgpt::text {

struct BpeTrainerConfig {
  std::int64_t vocab_size = 8192;      ///< V, with the 256 bytes and the special tokens
  std::int64_t min_frequency = 2;      ///< a pair seen less often is not merged
  std::string split_pattern = "gpt2";  ///< see `make_split_pattern`
  std::vector<std::string> special_tokens = {"<|endoftext|>"};
};

/// The next piece of the text, cut at words or documents only; nothing at its end.
using NextText = std::function<std::optional<std::string>()>;

/// Learns merges: the most frequent pair first, of equals the one whose tokens have the lower numbers, as
/// Hugging Face's BpeTrainer does. Special tokens come first, then bytes, then merges. Memory follows the
/// number of different words, not the length of the text. Throws `Error` for a vocabulary that is too small.
BpeVocabulary train_bpe(const NextText& next, const BpeTrainerConfig& config);

}  // namespace vkgpt::text
