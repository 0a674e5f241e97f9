#include "text/tokenizer/unigram_encoder.hpp"

#include <algorithm>

#include "vkgpt/core/error.hpp"
#include "vkgpt/core/format.hpp"
#include "vkgpt/core/utf8.hpp"

namespace vkgpt::text {
namespace {

constexpr double kUnknownPenalty = 10;  // below the lowest score, as SentencePiece has it

/// The best way to the end of a stretch.
struct Node {
  double score = 0;
  std::size_t begin = 0;  // of its last piece
  Token token = -1;
  bool reached = false;
};

}  // namespace

UnigramEncoder::UnigramEncoder(const std::vector<Piece>& pieces, std::optional<Token> unknown,
                               bool byte_fallback, const std::string& where)
    : unknown_(unknown) {
  if (pieces.empty()) fail("{}: the vocabulary is empty", where);
  if (unknown && (*unknown < 0 || static_cast<std::size_t>(*unknown) >= pieces.size())) {
    fail("{}: \"unk_id\" is {} in a vocabulary of {}", where, *unknown, pieces.size());
  }
  double lowest = pieces.front().score;
  for (std::size_t i = 0; i < pieces.size(); ++i) {
    if (!pieces[i].text.empty()) trie_.add(pieces[i].text, static_cast<Token>(i));
    scores_.push_back(pieces[i].score);
    lowest = std::min(lowest, pieces[i].score);
  }
  unknown_score_ = lowest - kUnknownPenalty;
  for (unsigned byte = 0; byte_fallback && byte < 256; ++byte) {
    const std::string name = vkgpt::format("<0x{:02X}>", byte);
    const NameFinder::Match match = trie_.find(name, 0);
    bytes_.push_back(match.begin == 0 && match.end == name.size() ? match.token : -1);
  }
}

void UnigramEncoder::append_word(std::string_view text, std::vector<Token>& out) const {
  std::vector<Node> best(text.size() + 1);
  best[0].reached = true;
  const auto reach = [&](std::size_t begin, std::size_t end, Token token, double score) {
    Node& node = best[end];
    const double sum = best[begin].score + score;
    if (node.reached && sum <= node.score) return;
    node = {.score = sum, .begin = begin, .token = token, .reached = true};
  };
  for (std::size_t at = 0; at < text.size();) {
    const std::size_t next = at + std::max<std::size_t>(1, decode_utf8(text, at).length);
    bool has_character = false;
    trie_.for_each_beginning(text, at, [&](std::size_t end, Token token) {
      reach(at, end, token, scores_[static_cast<std::size_t>(token)]);
      has_character |= end == next;
    });
    if (!has_character) reach(at, next, -1, unknown_score_);
    at = next;
  }

  std::vector<Node> path;  // from the end
  std::vector<std::size_t> ends;
  for (std::size_t end = text.size(); end > 0; end = best[end].begin) {
    path.push_back(best[end]);
    ends.push_back(end);
  }
  for (std::size_t i = path.size(); i-- > 0;) {
    const bool unknown = path[i].token < 0 || path[i].token == unknown_;
    if (!unknown) {
      out.push_back(path[i].token);
      continue;
    }
    // Neighbours that are not known make one.
    const std::size_t begin = path[i].begin;
    while (i > 0 && (path[i - 1].token < 0 || path[i - 1].token == unknown_)) --i;
    append_unknown(text.substr(begin, ends[i] - begin), out);
  }
}

void UnigramEncoder::append_unknown(std::string_view text, std::vector<Token>& out) const {
  const bool has_bytes = !bytes_.empty() && std::ranges::all_of(text, [&](char c) {
    return bytes_[static_cast<unsigned char>(c)] >= 0;
  });
  if (has_bytes) {
    for (const char c : text) out.push_back(bytes_[static_cast<unsigned char>(c)]);
    return;
  }
  if (!unknown_) {
    fail("the tokenizer has no token for '{}', which the text holds, and none for what it does not know",
         printable(text));
  }
  out.push_back(*unknown_);
}

}  // namespace vkgpt::text
