#include "vkgpt/text/corpus/token_view.hpp"

#include <algorithm>

#include "vkgpt/core/check.hpp"
#include "vkgpt/core/error.hpp"
#include "vkgpt/core/utf8.hpp"

namespace vkgpt::text {
namespace {

void copy_tokens(const TokenSpan& tokens, std::size_t offset, std::span<Token> out) {
  std::visit([&](const auto& from) { std::ranges::copy(from.subspan(offset, out.size()), out.begin()); },
             tokens);
}

/// `tokens` were read from `piece` at `offset`.
void check_tokens(std::span<const Token> tokens, const TokenPiece& piece, std::size_t offset,
                  std::int64_t vocab_size) {
  const auto V = static_cast<std::uint32_t>(vocab_size);
  // The largest of them first: that loop runs in vectors.
  std::uint32_t largest = 0;
  for (const Token token : tokens) largest = std::max(largest, static_cast<std::uint32_t>(token));
  if (largest < V) return;
  const auto bad =
      std::ranges::find_if(tokens, [V](Token token) { return static_cast<std::uint32_t>(token) >= V; });
  fail(
      "{}: token {} at position {} is not below the vocabulary's {}: the file is damaged, or made with "
      "another "
      "tokenizer",
      printable(piece.file->path().string(), 200), static_cast<std::uint32_t>(*bad),
      piece.first + offset + static_cast<std::size_t>(bad - tokens.begin()), vocab_size);
}

}  // namespace

TokenPiece whole(const TokenFile& file) {
  return {.file = &file, .first = 0, .count = file.size(), .position = 0};
}

TokenView::TokenView(const TokenSpan& tokens)
    : in_memory_(tokens), size_(std::visit([](const auto& span) { return span.size(); }, tokens)) {}

TokenView::TokenView(std::span<const TokenPiece> pieces, std::int64_t vocab_size)
    : pieces_(pieces), vocab_size_(vocab_size) {
  for (const TokenPiece& piece : pieces) {
    VKGPT_CHECK(piece.position == size_, "piece at {}, expected at {}", piece.position, size_);
    size_ += piece.count;
  }
}

TokenView TokenView::subview(std::size_t offset, std::size_t count) const {
  VKGPT_CHECK(offset <= size() && count <= size() - offset, "[{}, +{}) of {}", offset, count, size());
  TokenView view = *this;
  view.offset_ += offset;
  view.size_ = count;
  return view;
}

void TokenView::copy(std::size_t offset, std::span<Token> out) const {
  VKGPT_CHECK(offset <= size() && out.size() <= size() - offset, "[{}, +{}) of {}", offset, out.size(),
              size());
  if (pieces_.empty()) {
    copy_tokens(in_memory_, offset_ + offset, out);
    return;
  }
  std::size_t at = offset_ + offset;
  auto piece = std::ranges::upper_bound(pieces_, at, {}, &TokenPiece::position) - 1;
  for (; !out.empty(); ++piece) {
    const std::size_t in_piece = at - piece->position;
    const std::span<Token> part = out.first(std::min(out.size(), piece->count - in_piece));
    if (!part.empty()) piece->file->read(piece->first + in_piece, part);
    if (vocab_size_ > 0) check_tokens(part, *piece, in_piece, vocab_size_);
    out = out.subspan(part.size());
    at += part.size();
  }
}

}  // namespace vkgpt::text
