#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "vkgpt/text/tokenizer/bpe_tokenizer.hpp"
#include "vkgpt/text/tokenizer/make_split.hpp"
#include "vkgpt/text/tokenizer/word_counts.hpp"

namespace vkgpt::text {

inline constexpr std::int64_t kMaxBpeVocabSize = std::int64_t{1} << 20;

struct BpeTrainerConfig {
  std::int64_t vocab_size = 8192;      ///< V, with the 256 bytes and the special tokens
  std::int64_t min_frequency = 2;      ///< a pair seen less often is not merged
  std::string split_pattern = "gpt2";  ///< see `make_split_pattern`
  /// The first tokens; the first of them ends a document.
  std::vector<std::string> special_tokens = {"<|endoftext|>"};
  std::size_t threads = 0;  ///< that count words; 0: one per processor. The result is the same
};

/// How far `train_bpe` is.
struct BpeProgress {
  std::uint64_t text_bytes = 0;  ///< read
  std::int64_t tokens = 0;       ///< of the vocabulary; 0 while words are counted
};

/// Called often, by one thread at a time; false ends the work.
using OnBpeProgress = std::function<bool(const BpeProgress&)>;

/// Learns a vocabulary from the text that `next` gives: special tokens first, then the bytes in GPT-2's
/// order, then merges, the most frequent pair first and of equals the one whose tokens have the lower
/// numbers. It is smaller than asked where no pair is frequent enough any more. Nothing where `on_progress`
/// said so. Throws `Error` for a vocabulary that is too small and for special tokens that cannot be.
///
/// These are the merges of Hugging Face's BpeTrainer (ByteLevel without prefix space, initial alphabet
/// ByteLevel.alphabet()) for the same words, with three differences: counts have 64 bits, no merge makes the
/// name of a special token, and a word ends after `kMaxWordBytes`. Mind that its `train(files)` cuts the text
/// at every line end, so that runs of them never become tokens; `train_from_iterator` does not.
///
/// Memory follows the number of different words, not the length of the text.
std::optional<BpeVocabulary> train_bpe(const NextPiece& next, const BpeTrainerConfig& config,
                                       const OnBpeProgress& on_progress = {});

}  // namespace vkgpt::text
