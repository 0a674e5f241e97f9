#pragma once

#include <string>

#include "vkgpt/core/json.hpp"
#include "vkgpt/text/tokenizer/tokenizer.hpp"

#include "text/tokenizer/tokenizer_formats.hpp"

namespace vkgpt::text {

/// What is put around a text, by the post-processor of `root` (a `tokenizer.json`) or, where they say so, by
/// `names`: `add_bos_token` and `add_eos_token` replace it, as they do in transformers. Throws `Error`.
TextRules read_text_rules(const Json& root, const SpecialNames& names, const Tokenizer& tokenizer,
                          const std::string& where);

}  // namespace vkgpt::text
