#pragma once

#include <optional>
#include <string>
#include <vector>

#include "vkgpt/text/tokenizer/token.hpp"

namespace vkgpt::text {

/// A token that is found in a text by its name before the text is cut into words.
struct AddedToken {
  Token token = 0;
  std::string name;
  bool in_text = false;      ///< found in every text: Hugging Face calls it added but not special
  bool single_word = false;  ///< found only where no letter, digit or underscore touches it
  bool lstrip = false;       ///< takes the white space before it
  bool rstrip = false;       ///< takes the white space after it
  bool normalized = false;   ///< looked for after the text was normalized, and after those that are not
};

/// What a BPE tokenizer knows (Sennrich et al. 2016), on bytes as GPT-2 does it or on characters as
/// SentencePiece does.
struct BpeVocabulary {
  struct Merge {
    Token left = 0;
    Token right = 0;
    Token merged = 0;
  };
  using Special = AddedToken;

  std::vector<std::string>
      tokens;                 // (V) the bytes that a token stands for; a special one's name; empty: no token
  std::vector<Merge> merges;  // the earlier, the stronger; several may give the same token
  std::vector<Special> specials;
  std::string end_of_text;     // name of the special token that ends a document; may be empty
  std::string begin_of_text;   // the same for its beginning
  bool ignore_merges = false;  // a word that is a token is that token, whatever the merges say
  bool nfc = false;            // text becomes Unicode's NFC first: then decoding gives that, not the text
  std::optional<Token> unknown = std::nullopt;  // for a byte or character without a token
  bool fuse_unknown = false;                    // neighbours without a token share one `unknown`
  bool of_characters = false;                   // words begin as tokens of characters, not of bytes
  bool byte_fallback = false;  // a character without a token becomes its bytes, tokens "<0x00>" to "<0xFF>"
};

}  // namespace vkgpt::text
