#pragma once

#include <memory>
#include <string>
#include <string_view>

#include "vkgpt/core/json.hpp"
#include "vkgpt/text/tokenizer/tokenizer.hpp"

#include "text/tokenizer/tokenizer_formats.hpp"

namespace vkgpt::text {

/// Whether `root`, a `tokenizer.json`, has the form that SentencePiece's models are converted to: Unigram, or
/// BPE whose words are no bytes.
bool is_piece_tokenizer(const Json& root);

/// The one step of a decoder that is a sequence of one, else `decoder`, an object.
const Json& sole_decoder(const Json& decoder);

/// Reads it; `json` is its text. Throws `Error` for steps that are not known.
std::unique_ptr<Tokenizer> read_piece_tokenizer(std::string_view json, const Json& root,
                                                const SpecialNames& names, const std::string& where);

}  // namespace vkgpt::text
