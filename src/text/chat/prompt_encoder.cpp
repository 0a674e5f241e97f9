#include "text/chat/prompt_encoder.hpp"

#include <algorithm>
#include <cstddef>
#include <utility>

namespace vkgpt::text {
namespace {

using jinja::Marks;

/// How many bytes before each have a mark.
std::vector<std::size_t> count_marks(const jinja::Text& text, Marks mark) {
  std::vector<std::size_t> counts(text.size() + 1);
  for (std::size_t i = 0; i < text.size(); ++i)
    counts[i + 1] = counts[i] + ((text.marks_at(i) & mark) != 0 ? 1 : 0);
  return counts;
}

class MarkedEncoder {
 public:
  MarkedEncoder(const jinja::Text& text, const Tokenizer& tokenizer)
      : text_(text),
        tokenizer_(tokenizer),
        foreign_(count_marks(text, jinja::kFromRequest)),
        tokens_(encode(text.size())) {
    find_ends();
  }

  ChatPrompt run() {
    ChatPrompt prompt{.tokens = tokens_, .by_assistant = std::vector<bool>(tokens_.size())};
    for (std::size_t begin = 0; begin < text_.size();) {
      const bool marked = (text_.marks_at(begin) & jinja::kByAssistant) != 0;
      std::size_t end = begin + 1;
      while (end < text_.size() && ((text_.marks_at(end) & jinja::kByAssistant) != 0) == marked) ++end;
      if (marked) {
        const std::size_t last = tokens_before(end, true);
        for (std::size_t i = tokens_before(begin, false); i < last; ++i) prompt.by_assistant[i] = true;
      }
      begin = end;
    }
    return prompt;
  }

 private:
  std::vector<Token> encode(std::size_t bytes) const {
    return tokenizer_.encode_partly_special(
        text_.bytes.substr(0, bytes),
        [&](std::size_t begin, std::size_t end) { return foreign_[begin] == foreign_[end]; });
  }

  /// Where each token ends, if the tokens' bytes are the text's, but for spaces that SentencePiece puts
  /// before the text between special tokens.
  void find_ends() {
    std::string_view rest = text_.bytes;
    for (const Token token : tokens_) {
      const std::string bytes = tokenizer_.decode_more({&token, 1});
      std::string_view shown = bytes;
      if (tokenizer_.is_part(token)) shown = rest.substr(0, 1);  // a byte, which is no text alone
      if (!rest.starts_with(shown) && shown.starts_with(' ')) shown.remove_prefix(1);
      if (!rest.starts_with(shown)) break;
      rest.remove_prefix(shown.size());
      // A space alone that was put there belongs to the character that follows.
      ends_.push_back(text_.size() - rest.size() + (shown.empty() && !rest.empty() ? 1 : 0));
    }
    if (!rest.empty()) ends_.clear();
  }

  /// How many tokens lie wholly before byte `at`, or, with `partly`, begin before it.
  std::size_t tokens_before(std::size_t at, bool partly) const {
    if (ends_.size() == tokens_.size()) {
      const auto first = std::ranges::upper_bound(ends_, partly ? at - 1 : at);
      return static_cast<std::size_t>(first - ends_.begin()) + (partly ? 1 : 0);
    }
    // The tokens of the text up to there tell, as far as they are the same.
    const std::vector<Token> before = encode(at);
    const auto differ = std::ranges::mismatch(before, tokens_).in1;
    const auto same = static_cast<std::size_t>(differ - before.begin());
    return partly && same < before.size() ? std::min(same + 1, tokens_.size()) : same;
  }

  const jinja::Text& text_;
  const Tokenizer& tokenizer_;
  std::vector<std::size_t> foreign_;
  std::vector<Token> tokens_;
  std::vector<std::size_t> ends_;
};

}  // namespace

ChatPrompt encode_marked(const jinja::Text& text, const Tokenizer& tokenizer) {
  return MarkedEncoder(text, tokenizer).run();
}

}  // namespace vkgpt::text
