#include "vkgpt/text/tokenizer/bpe_tokenizer.hpp"

#include <algorithm>
#include <atomic>
#include <exception>
#include <mutex>
#include <thread>
#include <utility>

#include "vkgpt/core/check.hpp"

#include "text/tokenizer/added_tokens.hpp"
#include "text/tokenizer/bpe_encoder.hpp"
#include "text/tokenizer/nfc.hpp"
#include "text/tokenizer/regex_split.hpp"
#include "text/tokenizer/split_sequence.hpp"
#include "text/tokenizer/tokenizer_files.hpp"

namespace vkgpt::text {
namespace {

constexpr std::size_t kPieceBytes = std::size_t{1} << 17;  // what a thread takes at a time

/// Cuts text into pieces of about `kPieceBytes` that are encoded on their own.
std::vector<std::string_view> independent_pieces(std::string_view text, const Tokenizer& tokenizer) {
  std::vector<std::string_view> pieces;
  for (std::size_t length = kPieceBytes; length < text.size();) {
    const std::size_t safe = tokenizer.safe_prefix(text.substr(0, length));
    if (safe == 0) {
      length *= 2;  // so that looking back in a text without a place to cut stays linear
      continue;
    }
    pieces.push_back(text.substr(0, safe));
    text.remove_prefix(safe);
    length = kPieceBytes;
  }
  pieces.push_back(text);
  return pieces;
}

}  // namespace

BpeTokenizer::BpeTokenizer(BpeVocabulary vocabulary, std::unique_ptr<SplitPattern> split,
                           const std::string& where)
    : vocabulary_(std::move(vocabulary)),
      split_(std::move(split)),
      encoder_(std::make_unique<BpeEncoder>(vocabulary_, where)),
      special_names_(std::make_unique<AddedTokens>(vocabulary_.specials, true, normalizer())),
      text_names_(std::make_unique<AddedTokens>(vocabulary_.specials, false, normalizer())) {}

BpeTokenizer::~BpeTokenizer() = default;

std::function<std::string(std::string_view)> BpeTokenizer::normalizer() const {
  return [this](std::string_view text) {
    return vocabulary_.nfc && !is_plainly_nfc(text) ? to_nfc(text) : std::string(text);
  };
}

void BpeTokenizer::append_plain(std::string_view text, std::vector<Token>& out) const {
  if (vocabulary_.nfc && !is_plainly_nfc(text)) {
    encoder_->append_words(to_nfc(text), *split_, out);
  } else {
    encoder_->append_words(text, *split_, out);
  }
}

void BpeTokenizer::append_named(std::string_view text, const AddedTokens& added, std::vector<Token>& out,
                                const MayName& may_name) const {
  const auto put = [&](Token token) { out.push_back(token); };
  added.raw().cut(
      text,
      [&](std::string_view part) {
        if (added.normalized().empty()) return append_plain(part, out);
        const std::string normalized = normalizer()(part);
        const auto begin = static_cast<std::size_t>(part.data() - text.data());
        added.normalized().cut(
            normalized, [&](std::string_view words) { encoder_->append_words(words, *split_, out); }, put,
            added.accept_normalized(part, begin, normalized, may_name));
      },
      put, added.accept_raw(may_name));
}

void BpeTokenizer::append_tokens(std::string_view text, std::vector<Token>& out) const {
  append_tokens(text, static_cast<int>(std::max(1U, std::thread::hardware_concurrency())), out);
}

void BpeTokenizer::append_tokens(std::string_view text, int threads, std::vector<Token>& out) const {
  VKGPT_CHECK(threads >= 1);
  const auto append = [&](std::string_view piece, std::vector<Token>& tokens) {
    if (text_names_->empty()) {
      append_plain(piece, tokens);
    } else {
      append_named(piece, *text_names_, tokens);
    }
  };
  if (threads == 1 || text.size() < 2 * kPieceBytes) return append(text, out);

  const std::vector<std::string_view> pieces = independent_pieces(text, *this);
  std::vector<std::vector<Token>> tokens(pieces.size());
  std::atomic<std::size_t> taken = 0;
  std::mutex mutex;
  std::exception_ptr failure;
  const auto work = [&] {
    try {
      for (std::size_t i = taken++; i < pieces.size(); i = taken++) append(pieces[i], tokens[i]);
    } catch (...) {
      taken = pieces.size();
      const std::scoped_lock lock(mutex);
      if (!failure) failure = std::current_exception();
    }
  };
  {
    std::vector<std::jthread> workers;
    const std::size_t count = std::min(static_cast<std::size_t>(threads), pieces.size());
    for (std::size_t i = 1; i < count; ++i) workers.emplace_back(work);
    work();
  }
  if (failure) std::rethrow_exception(failure);
  std::size_t count = out.size();
  for (const std::vector<Token>& piece : tokens) count += piece.size();
  out.reserve(count);
  for (const std::vector<Token>& piece : tokens) out.insert(out.end(), piece.begin(), piece.end());
}

std::vector<Token> BpeTokenizer::encode_with_special(std::string_view text) const {
  std::vector<Token> tokens;
  append_named(text, *special_names_, tokens);
  return tokens;
}

std::vector<Token> BpeTokenizer::encode_partly_special(std::string_view text, const MayName& may_name) const {
  std::vector<Token> tokens;
  append_named(text, *special_names_, tokens, may_name);
  return tokens;
}

void BpeTokenizer::find_special_names() {
  text_names_ = std::make_unique<AddedTokens>(vocabulary_.specials, true, normalizer());
}

std::string BpeTokenizer::decode(std::span<const Token> tokens) const {
  std::string text;
  text.reserve(tokens.size() * 4);
  for (const Token token : tokens) {
    VKGPT_CHECK(token >= 0 && token < vocab_size(), "token {} of {}", token, vocab_size());
    text += vocabulary_.tokens[static_cast<std::size_t>(token)];
  }
  return text;
}

std::optional<Token> BpeTokenizer::special_token(std::string_view name) const {
  const auto found = std::ranges::find(vocabulary_.specials, name, &BpeVocabulary::Special::name);
  return found == vocabulary_.specials.end() ? std::nullopt : std::optional(found->token);
}

std::optional<Token> BpeTokenizer::end_of_text() const {
  return special_token(vocabulary_.end_of_text);
}

bool BpeTokenizer::joined_at(std::string_view text, std::size_t at) const {
  if (text_names_->may_cross(text, at)) return true;
  if (!vocabulary_.nfc) return false;
  // What is ASCII neither changes nor joins; other characters may change, but never to or from white space.
  const bool ascii_before = static_cast<unsigned char>(text[at - 1]) < 0x80;
  const bool ascii_after = static_cast<unsigned char>(text[at]) < 0x80;
  return !ascii_after || (!ascii_before && text[at] != ' ');
}

std::size_t BpeTokenizer::safe_prefix(std::string_view text) const {
  if (vocabulary_.merges.empty() && !vocabulary_.ignore_merges && !vocabulary_.nfc && text_names_->empty() &&
      encoder_->has_all_bytes()) {
    return text.size();
  }
  if (vocabulary_.nfc && (dynamic_cast<const RegexSplit*>(split_.get()) != nullptr ||
                          dynamic_cast<const SplitSequence*>(split_.get()) != nullptr)) {
    return safe_before_white(text);
  }
  return split_->last_cut(text, [&](std::size_t at) { return !joined_at(text, at); });
}

std::size_t BpeTokenizer::safe_before_white(std::string_view text) const {
  constexpr std::string_view kWhite = " \n";  // neither changes nor joins others in NFC
  text = text.substr(0, std::min(text.find_last_of(kWhite), text.size()));
  const std::string normalized = is_plainly_nfc(text) ? std::string(text) : to_nfc(text);
  const auto is_white = [&](char c) { return kWhite.contains(c); };
  const std::size_t cut =
      split_->last_cut(normalized, [&](std::size_t at) { return is_white(normalized[at]); });
  if (cut == 0) return 0;
  std::size_t after = static_cast<std::size_t>(std::ranges::count_if(normalized.substr(cut), is_white));
  std::size_t at = text.size();
  while (after > 0) after -= is_white(text[--at]) ? 1 : 0;
  return text_names_->may_cross(text, at) ? safe_before_white(text.substr(0, at + 1)) : at;
}

std::vector<TokenizerFile> BpeTokenizer::own_files() const {
  return write_tokenizer_files(vocabulary_, *split_);
}

}  // namespace vkgpt::text
