#pragma once

#include <cstdint>
#include <vector>

#include "vkgpt/model/gguf_writer.hpp"
#include "vkgpt/text/tokenizer/tokenizer.hpp"

namespace vkgpt::text {

/// A tokenizer as llama.cpp reads it.
struct GgufVocabulary {
  std::vector<model::GgufEntry> entries;  // tokenizer.ggml.*
  std::int64_t rows = 0;                  // tokens, padding included
};

/// Byte-level BPE, or characters that are all ASCII, as llama.cpp's "gpt2" tokenizer, padded to `model_rows`
/// tokens; the padding is marked as never to be generated. llama.cpp knows no vocabulary without an
/// end-of-text token and would take token 11 for it: there one is added behind the model's tokens, marked in
/// the same way. Warns where llama.cpp may
/// tokenize some texts otherwise. Throws `Error` for a tokenizer that it cannot express.
GgufVocabulary gguf_vocabulary(const Tokenizer& tokenizer, std::int64_t model_rows);

}  // namespace vkgpt::text
