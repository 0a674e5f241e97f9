#include "vkgpt/text/tokenizer/piece_tokenizer.hpp"

#include <algorithm>
#include <charconv>
#include <utility>

#include "vkgpt/core/check.hpp"
#include "vkgpt/core/utf8.hpp"

#include "text/tokenizer/added_tokens.hpp"
#include "text/tokenizer/piece_model.hpp"
#include "text/tokenizer/tokenizer_files.hpp"

namespace vkgpt::text {
namespace {

void replace_all(std::string& text, std::string_view from, std::string_view to) {
  for (std::size_t at = text.find(from); at != std::string::npos; at = text.find(from, at + to.size())) {
    text.replace(at, from.size(), to);
  }
}

/// Bytes that stand beside each other are text where they are UTF-8, else each is U+FFFD.
void flush_bytes(std::string& bytes, std::string& out) {
  if (find_invalid_utf8(bytes) == std::string::npos) {
    out += bytes;
  } else {
    for (std::size_t i = 0; i < bytes.size(); ++i) out += "\ufffd";
  }
  bytes.clear();
}

}  // namespace

PieceTokenizer::PieceTokenizer(BpeVocabulary vocabulary, std::unique_ptr<PieceModel> model,
                               PieceDecoder decoder, std::string json, const std::string& where)
    : vocabulary_(std::move(vocabulary)),
      model_(std::move(model)),
      decoder_(std::move(decoder)),
      json_(std::move(json)) {
  if (!model_->unigram) model_->bpe = std::make_unique<BpeEncoder>(vocabulary_, where);
  const auto normalize = [this](std::string_view text) { return model_->normalizer.apply(text); };
  for (const AddedToken& added : vocabulary_.specials) {  // texts show them as they were found
    if (!added.normalized || !added.in_text) continue;
    vocabulary_.tokens[static_cast<std::size_t>(added.token)] = normalize(added.name);
  }
  special_names_ = std::make_unique<AddedTokens>(vocabulary_.specials, true, normalize);
  text_names_ = std::make_unique<AddedTokens>(vocabulary_.specials, false, normalize);
}

PieceTokenizer::~PieceTokenizer() = default;

void PieceTokenizer::append_named(std::string_view text, const AddedTokens& added, std::vector<Token>& out,
                                  const MayName& may_name, bool continues) const {
  const auto put = [&](Token token) { out.push_back(token); };
  added.raw().cut(
      text,
      [&](std::string_view part) {
        const bool first = part.data() == text.data();
        const std::string normalized = model_->normalizer.apply(part, continues && first);
        const bool begins = first && !continues && model_->begins_text(part);
        added.normalized().cut(
            normalized,
            [&](std::string_view words) {
              model_->append(words, begins && words.data() == normalized.data(), out);
            },
            put,
            added.accept_normalized(part, static_cast<std::size_t>(part.data() - text.data()), normalized,
                                    may_name));
      },
      put, added.accept_raw(may_name));
}

void PieceTokenizer::append_tokens(std::string_view text, std::vector<Token>& out) const {
  append_named(text, *text_names_, out);
}

void PieceTokenizer::append_more(std::string_view text, std::vector<Token>& out) const {
  append_named(text, *text_names_, out, {}, true);
}

std::vector<Token> PieceTokenizer::encode_with_special(std::string_view text) const {
  std::vector<Token> tokens;
  append_named(text, *special_names_, tokens);
  return tokens;
}

std::vector<Token> PieceTokenizer::encode_partly_special(std::string_view text,
                                                         const MayName& may_name) const {
  std::vector<Token> tokens;
  append_named(text, *special_names_, tokens, may_name);
  return tokens;
}

void PieceTokenizer::find_special_names() {
  text_names_ = std::make_unique<AddedTokens>(
      vocabulary_.specials, true, [this](std::string_view text) { return model_->normalizer.apply(text); });
}

std::optional<char> PieceTokenizer::byte_of(Token token) const {
  const std::string& piece = vocabulary_.tokens[static_cast<std::size_t>(token)];
  if (piece.size() != 6 || !piece.starts_with("<0x") || piece[5] != '>') return std::nullopt;
  unsigned byte = 0;
  const auto [end, error] = std::from_chars(piece.data() + 3, piece.data() + 5, byte, 16);
  if (error != std::errc() || end != piece.data() + 5) return std::nullopt;
  return static_cast<char>(byte);
}

std::string PieceTokenizer::decoded(std::span<const Token> tokens, bool begins) const {
  std::string text;
  std::string bytes;
  bool first = begins;
  for (const Token token : tokens) {
    VKGPT_CHECK(token >= 0 && token < vocab_size(), "token {} of {}", token, vocab_size());
    const std::optional<char> byte = decoder_.bytes ? byte_of(token) : std::nullopt;
    if (byte) {
      bytes += *byte;
    } else {
      flush_bytes(bytes, text);
      std::string piece = vocabulary_.tokens[static_cast<std::size_t>(token)];
      if (first && !decoder_.dropped_in_first.empty()) replace_all(piece, decoder_.dropped_in_first, "");
      for (const auto& [from, to] : decoder_.replacements) replace_all(piece, from, to);
      text += piece;
    }
    first = false;
  }
  flush_bytes(bytes, text);
  std::size_t cut = 0;
  for (std::size_t i = 0; begins && i < decoder_.stripped_count; ++i) {
    if (!std::string_view(text).substr(cut).starts_with(decoder_.stripped)) break;
    cut += decoder_.stripped.size();
  }
  return text.substr(cut);
}

std::optional<Token> PieceTokenizer::special_token(std::string_view name) const {
  const auto found = std::ranges::find(vocabulary_.specials, name, &AddedToken::name);
  return found == vocabulary_.specials.end() ? std::nullopt : std::optional(found->token);
}

std::size_t PieceTokenizer::safe_prefix(std::string_view text) const {
  for (std::size_t at = text.size(); at-- > 1;) {
    const auto last = static_cast<unsigned char>(text[at - 1]);
    if (text[at] != ' ' || last <= ' ' || last >= 0x7f) continue;
    if (model_->cuts_before_space(text[at - 1]) && !text_names_->may_cross(text, at)) return at;
  }
  return 0;
}

std::vector<TokenizerFile> PieceTokenizer::own_files() const {
  return {{kTokenizerFile, json_},
          {kTokenizerConfigFile, tokenizer_config(vocabulary_.end_of_text, vocabulary_.begin_of_text)}};
}

}  // namespace vkgpt::text
