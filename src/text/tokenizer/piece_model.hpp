#pragma once

#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "vkgpt/text/tokenizer/bpe_vocabulary.hpp"
#include "vkgpt/text/tokenizer/split_pattern.hpp"

#include "text/tokenizer/bpe_encoder.hpp"
#include "text/tokenizer/text_normalizer.hpp"
#include "text/tokenizer/unigram_encoder.hpp"

namespace vkgpt::text {

/// Spaces become a visible character, which also begins a text, and may begin each word.
struct Metaspace {
  enum class Prepend { kAlways, kFirst, kNever };

  std::string replacement = "\u2581";
  Prepend prepend = Prepend::kAlways;
  bool split = true;
};

/// Cuts at white space, which is dropped.
struct WhiteSplit {};

/// A step that cuts normalized text.
using PieceStep = std::variant<Metaspace, WhiteSplit, std::shared_ptr<const SplitPattern>>;

/// What turns text without added tokens into tokens of pieces.
class PieceModel {
 public:
  TextNormalizer normalizer;
  std::vector<PieceStep> steps;
  std::unique_ptr<BpeEncoder> bpe;  // one of the two
  std::unique_ptr<UnigramEncoder> unigram;
  std::vector<double> scores;  // of Unigram's pieces
  bool prepends = false;       // the normalizer puts something before every text
  bool strips = false;         // or takes white space from its beginning
  bool squeezes = false;       // or makes one space of several
  bool shows_spaces = false;   // or leaves no space
  bool rewrites = false;       // or changes characters in another way than by `character_map`
  std::string character_map;   // SentencePiece's table of replacements as it was read; may be empty

  /// Appends the tokens of `text`, which is normalized; `begins`: it stands at the beginning of the text.
  void append(std::string_view text, bool begins, std::vector<Token>& out) const;

  /// Whether tokens of `text`, which begins a whole one and is not normalized yet, begin one too. Always true
  /// where no step asks.
  bool begins_text(std::string_view text) const;

  /// Whether a text can be cut before a space that follows `last`, an ASCII character other than white space.
  bool cuts_before_space(char last) const;

 private:
  void append_step(std::size_t step, std::string_view text, bool begins, std::vector<Token>& out) const;
  void append_metaspace(const Metaspace& meta, std::size_t step, std::string_view text, bool begins,
                        std::vector<Token>& out) const;
};

}  // namespace vkgpt::text
