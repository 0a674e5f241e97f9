#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "vkgpt/text/tokenizer/tokenizer.hpp"

namespace vkgpt::text {

/// What --tokenizer asks for.
struct TokenizerChoice {
  std::string name;  ///< "char", "byte", "bpe", "gpt2", a file or a directory
  std::int64_t bpe_vocab_size = 8192;
};

/// Whether it is made from the text: "char" and "bpe".
bool is_learned(const TokenizerChoice& choice);

/// Gives a text piece by piece, nothing at its end; the pieces must not cut what `safe_prefix` of GPT-2's
/// split pattern keeps together.
using TextPieces = std::function<std::optional<std::string>()>;

/// Opens or learns a tokenizer; `pieces` is asked for the text only where it is learned, and `where` names
/// it. Throws `Error`.
std::unique_ptr<Tokenizer> make_tokenizer(const TokenizerChoice& choice, const TextPieces& pieces,
                                          const std::string& where);

/// Pieces of a text in memory.
TextPieces pieces_of(std::string_view text);

}  // namespace vkgpt::text
