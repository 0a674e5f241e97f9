#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "vkgpt/text/tokenizer/bpe_tokenizer.hpp"

namespace vkgpt::text {

// llama.cpp's LLAMA_TOKEN_TYPE_*.
inline constexpr std::int32_t kGgufNormal = 1;
inline constexpr std::int32_t kGgufUnknown = 2;
inline constexpr std::int32_t kGgufControl = 3;
inline constexpr std::int32_t kGgufUserDefined = 4;
inline constexpr std::int32_t kGgufUnused = 5;
inline constexpr std::int32_t kGgufByte = 6;

/// llama.cpp's name of the rule of GPT-2.
inline constexpr std::string_view kGpt2Words = "gpt-2";

/// A rule by which llama.cpp cuts text into words.
struct GgufWords {
  bool digits = false;                    ///< each digit stands alone first
  std::vector<std::string> regexes = {};  ///< of Split steps; none: GPT-2's pattern
  bool ignore_merges = false;
  bool nfc = false;
};

/// The rule of this name (`tokenizer.ggml.pre`). Throws `Error` for one that is not known.
GgufWords gguf_words(std::string_view name, const std::string& where);

/// The name of the rule that cuts as `tokenizer` does, as nearly as llama.cpp can; warns where it may differ.
/// Throws `Error` where there is none.
std::string_view gguf_words_name(const BpeTokenizer& tokenizer);

}  // namespace vkgpt::text
