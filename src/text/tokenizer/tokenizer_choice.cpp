#include "vkgpt/text/tokenizer/tokenizer_choice.hpp"

#include <bitset>
#include <format>
#include <utility>

#include "vkgpt/core/error.hpp"
#include "vkgpt/core/interrupt.hpp"
#include "vkgpt/core/utf8.hpp"
#include "vkgpt/text/tokenizer/bpe_trainer.hpp"
#include "vkgpt/text/tokenizer/char_tokenizer.hpp"
#include "vkgpt/text/tokenizer/make_split.hpp"
#include "vkgpt/text/tokenizer/open_tokenizer.hpp"

namespace vkgpt::text {
namespace {

/// The characters that occur are all that a character tokenizer needs of a text.
std::unique_ptr<Tokenizer> learn_characters(const TextPieces& pieces, const std::string& where) {
  const auto seen = std::make_unique<std::bitset<0x110000>>();
  std::uint64_t before = 0;
  while (const std::optional<std::string> piece = pieces()) {
    for (std::size_t at = 0; at < piece->size();) {
      const Utf8Char c = decode_utf8(*piece, at);
      if (c.length == 0) {
        fail("{} is not UTF-8: invalid byte 0x{:02x} at byte {}: use --tokenizer byte, or convert it first",
             where, static_cast<unsigned>(static_cast<unsigned char>((*piece)[at])), before + at);
      }
      seen->set(c.code_point);
      at += c.length;
    }
    before += piece->size();
  }
  std::string characters;
  for (char32_t c = 0; c < seen->size(); ++c) {
    if (seen->test(c)) append_utf8(characters, c);
  }
  return std::make_unique<CharTokenizer>(CharTokenizer::from_text(characters, where));
}

std::unique_ptr<Tokenizer> learn_bpe(const TokenizerChoice& choice, const TextPieces& pieces,
                                     const std::string& where) {
  BpeTrainerConfig config;
  config.vocab_size = choice.bpe_vocab_size;
  // The pieces hold whole words, so that each may stand for a document.
  const NextPiece next = [&]() -> std::optional<TextPiece> {
    std::optional<std::string> piece = pieces();
    if (!piece) return std::nullopt;
    return TextPiece{.text = std::move(*piece), .ends_document = true};
  };
  std::optional<BpeVocabulary> vocabulary =
      train_bpe(next, config, [](const BpeProgress&) { return !interrupted(); });
  if (!vocabulary) throw Error("interrupted while the tokenizer was learned", ExitCode::kInterrupted);
  return std::make_unique<BpeTokenizer>(std::move(*vocabulary), make_split_pattern(config.split_pattern),
                                        where);
}

}  // namespace

bool is_learned(const TokenizerChoice& choice) {
  return choice.name == "char" || choice.name == "bpe";
}

std::unique_ptr<Tokenizer> make_tokenizer(const TokenizerChoice& choice, const TextPieces& pieces,
                                          const std::string& where) {
  if (choice.name == "char") return learn_characters(pieces, where);
  if (choice.name == "bpe") return learn_bpe(choice, pieces, where);
  return open_tokenizer(choice.name);
}

TextPieces pieces_of(std::string_view text) {
  return [text]() mutable -> std::optional<std::string> {
    if (text.empty()) return std::nullopt;
    const std::unique_ptr<SplitPattern> split = make_split_pattern("gpt2");
    constexpr std::size_t kPieceBytes = std::size_t{4} << 20;
    std::size_t cut = text.size();
    for (std::size_t tried = kPieceBytes; tried < text.size(); tried *= 2) {
      if (const std::size_t safe = split->safe_prefix(text.substr(0, tried)); safe > 0) {
        cut = safe;
        break;
      }
    }
    std::string piece(text.substr(0, cut));
    text.remove_prefix(cut);
    return piece;
  };
}

}  // namespace vkgpt::text
