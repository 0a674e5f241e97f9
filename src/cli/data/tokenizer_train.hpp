#pragma once

#include <cstdint>
#include <memory>
#include <optional>

#include "vkgpt/core/file.hpp"
#include "vkgpt/text/tokenizer/bpe_trainer.hpp"
#include "vkgpt/text/tokenizer/tokenizer.hpp"

namespace vkgpt::cli {

/// Trains a BPE tokenizer on the text that `next` gives, with a progress bar on a terminal and a line at the
/// end; `text_bytes` is how much text there is, where that is known. Throws an `Error` with exit code 130
/// when a signal arrives.
std::unique_ptr<text::Tokenizer> train_bpe_tokenizer(const text::NextPiece& next,
                                                     const text::BpeTrainerConfig& config,
                                                     std::optional<std::uint64_t> text_bytes);

/// Writes `tokenizer.files()` to a directory, which is made where it is missing.
void write_tokenizer(const text::Tokenizer& tokenizer, const Path& directory);

}  // namespace vkgpt::cli
