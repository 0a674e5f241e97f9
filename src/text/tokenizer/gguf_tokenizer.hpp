#pragma once

#include <memory>

#include "vkgpt/model/gguf_file.hpp"
#include "vkgpt/text/tokenizer/tokenizer.hpp"

namespace vkgpt::text {

/// The tokenizer of a GGUF file, llama.cpp's models "gpt2" and "llama", with its template of conversations.
/// Its `tokenizer.json` says the same as the file. Throws `Error` for another model, and for a rule for words
/// that is not known.
std::unique_ptr<Tokenizer> read_gguf_tokenizer(const model::GgufFile& file);

}  // namespace vkgpt::text
