#pragma once

#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "vkgpt/core/json.hpp"
#include "vkgpt/text/tokenizer/bpe_tokenizer.hpp"
#include "vkgpt/text/tokenizer/tokenizer.hpp"

namespace vkgpt::text {

// What tokenizer files hold, parsed from text of unknown origin: everything here throws `Error` with one line
// that begins with `where`.

/// What files beside the vocabulary say about special tokens.
struct SpecialNames {
  std::string end_of_text = {};        ///< eos_token; may be empty
  std::string begin_of_text = {};      ///< bos_token; may be empty
  std::string pad = {};                ///< pad_token; may be empty
  std::vector<AddedToken> added = {};  ///< added_tokens_decoder, in the order of their numbers
  std::optional<bool> add_begin = {};  ///< add_bos_token
  std::optional<bool> add_end = {};    ///< add_eos_token
  std::string chat_template = {};      ///< chat_template, the default one
  std::vector<std::pair<std::string, std::string>> other_chat_templates = {};  ///< the others, by name
  std::vector<std::pair<std::string, std::string>> named_tokens = {};          ///< "bos_token": "<s>"
  std::vector<Token> end_ids = {};  ///< of the model's configuration
};

/// An added token as `tokenizer.json` and `tokenizer_config.json` describe it, without its number.
AddedToken read_added_token(const Json& token, const std::string& where);

/// `tokenizer_config.json` or `special_tokens_map.json`.
SpecialNames parse_special_names(std::string_view json, const std::string& where);

/// `added_tokens.json`: names and numbers.
std::vector<AddedToken> parse_added_tokens(std::string_view json, const std::string& where);

/// `tokenizer.json` of Hugging Face's tokenizers: byte-level BPE with a pre-tokenizer of ByteLevel, Split and
/// Digits steps and no normalizer but NFC; SentencePiece's BPE and Unigram; or what `CharTokenizer` writes.
/// What the post-processor, or `names` in its place, puts around a text becomes a rule of the tokenizer; the
/// file itself is handed on as it is.
///
/// Without a name in `names` the end of text is the model's, else the first that there is of <|endoftext|>,
/// <|im_end|>, </s> and <|end_of_text|>.
std::unique_ptr<Tokenizer> parse_tokenizer_json(std::string_view json, const SpecialNames& names,
                                                const std::string& where);

/// GPT-2's `vocab.json` and `merges.txt`, with GPT-2's split pattern and the added tokens of `names`.
std::unique_ptr<BpeTokenizer> parse_vocab_and_merges(std::string_view vocab_json, std::string_view merges_txt,
                                                     const SpecialNames& names, const std::string& where);

/// tiktoken's ranks, a base64 token and its rank on a line. The split pattern and the special tokens are
/// those of the encoding (r50k_base, p50k_base, cl100k_base, o200k_base) that `file_name` or the number of
/// ranks tells.
std::unique_ptr<BpeTokenizer> parse_tiktoken(std::string_view ranks, std::string_view file_name,
                                             const std::string& where);

/// The merges of `merges.txt`, as byte-level strings "left right", one a line.
std::vector<std::string_view> merge_lines(std::string_view merges_txt);

/// GPT-2's tokenizer, from the merges in the program.
std::unique_ptr<BpeTokenizer> make_gpt2_tokenizer();

/// Bytes 0 to 255 and <|endoftext|> = 256.
std::unique_ptr<BpeTokenizer> make_byte_tokenizer();

}  // namespace vkgpt::text
