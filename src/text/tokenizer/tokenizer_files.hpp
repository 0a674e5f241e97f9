#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "vkgpt/text/tokenizer/bpe_vocabulary.hpp"
#include "vkgpt/text/tokenizer/split_pattern.hpp"
#include "vkgpt/text/tokenizer/tokenizer.hpp"

namespace vkgpt::text {

inline constexpr const char* kTokenizerConfigFile = "tokenizer_config.json";
inline constexpr const char* kSpecialTokensFile = "special_tokens_map.json";
inline constexpr const char* kVocabFile = "vocab.json";
inline constexpr const char* kMergesFile = "merges.txt";

/// `text` (UTF-8) as a JSON string.
std::string json_text(std::string_view text);

/// `tokenizer_config.json` with which Hugging Face's AutoTokenizer takes `tokenizer.json` as it is. Empty
/// names are left out; without a beginning, documents begin with the token that ends them.
std::string tokenizer_config(const std::string& end_of_text, const std::string& begin_of_text);

/// `tokenizer.json` of a byte-level vocabulary, the inverse of `parse_tokenizer_json`. The same vocabulary
/// gives the same bytes.
std::string write_tokenizer_json(const BpeVocabulary& vocabulary, const SplitPattern& split);

/// It, `tokenizer_config.json`, `vocab.json` and `merges.txt`.
std::vector<TokenizerFile> write_tokenizer_files(const BpeVocabulary& vocabulary, const SplitPattern& split);

}  // namespace vkgpt::text
