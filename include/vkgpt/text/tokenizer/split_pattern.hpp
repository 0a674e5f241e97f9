#pragma once

#include <cstddef>
#include <functional>
#include <string>
#include <string_view>

namespace vkgpt::text {

/// The rule by which text is cut into words before byte-pair merges apply inside each. Safe from several
/// threads; linear in the text. A byte that is not part of valid UTF-8 counts as a symbol: neither letter,
/// digit nor white space.
class SplitPattern {
 public:
  virtual ~SplitPattern() = default;

  /// The end of the word that begins at `text[at]` (at < text.size()); `at` is the end of another word or 0.
  /// Invalid UTF-8 is cut somehow: the words always make up the text.
  virtual std::size_t next(std::string_view text, std::size_t at) const = 0;

  /// Gives `on_word` the end of each word of `text`, in order.
  virtual void cut(std::string_view text, const std::function<void(std::size_t end)>& on_word) const {
    for (std::size_t at = 0; at < text.size();) on_word(at = next(text, at));
  }

  /// See `Tokenizer::safe_prefix`.
  virtual std::size_t safe_prefix(std::string_view text) const = 0;

  /// The last such place that `accept` takes, 0 where there is none; it is asked for places below
  /// text.size().
  virtual std::size_t last_cut(std::string_view text,
                               const std::function<bool(std::size_t at)>& accept) const {
    std::size_t at = safe_prefix(text);
    while (at > 0 && (at == text.size() || !accept(at))) at = safe_prefix(text.substr(0, at));
    return at;
  }

  /// Gives `on_word` the ends of words of `text` that are there whatever follows it, in order from the first.
  /// Returns how far the text behind them is known to be no match of the pattern's, whatever follows: 0, or
  /// the last of those ends, where nothing is known.
  virtual std::size_t cut_open(std::string_view text,
                               const std::function<void(std::size_t end)>& on_word) const {
    const std::size_t safe = safe_prefix(text);
    cut(text.substr(0, safe), on_word);
    return safe;
  }

  /// The regular expression, in Hugging Face's syntax; empty for one that cuts nothing.
  virtual std::string regex() const = 0;
};

}  // namespace vkgpt::text
