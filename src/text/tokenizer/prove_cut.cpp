#include "text/tokenizer/prove_cut.hpp"

#include <algorithm>
#include <ranges>
#include <span>

#include "vkgpt/core/utf8.hpp"

namespace vkgpt::text {
namespace {

/// The end of a word that is there whatever follows.
struct KnownEnd {
  std::size_t at;
  bool restarts;  // the text from here on is cut as it is in the whole
};

using Steps = std::span<const SplitPattern* const>;

/// Gives `on_word` the ends of words of a text that ends.
void cut_closed(Steps steps, std::string_view text, std::size_t offset,
                const std::function<void(std::size_t)>& on_word) {
  if (steps.empty()) return on_word(offset + text.size());
  std::size_t begin = 0;
  steps.front()->cut(text, [&](std::size_t end) {
    cut_closed(steps.subspan(1), text.substr(begin, end - begin), offset + begin, on_word);
    begin = end;
  });
}

/// Each step cuts again from the ends of its words; inside a word it does so only where that is no match, for
/// the later steps.
void append_known(Steps steps, std::string_view text, std::size_t offset, std::vector<KnownEnd>& known) {
  std::size_t begin = 0;
  const std::size_t unmatched = steps.front()->cut_open(text, [&](std::size_t end) {
    cut_closed(steps.subspan(1), text.substr(begin, end - begin), offset + begin,
               [&](std::size_t at) { known.push_back({.at = at, .restarts = false}); });
    known.back().restarts = true;
    begin = end;
  });
  if (steps.size() > 1 && unmatched > begin) {
    append_known(steps.subspan(1), text.substr(begin, unmatched - begin), offset + begin, known);
  }
}

std::vector<KnownEnd> known_ends(Steps steps, std::string_view text) {
  std::vector<KnownEnd> known;
  if (!text.empty()) append_known(steps, text, 0, known);
  return known;
}

/// Whether the words of `text` alone are those that are known of it with what follows.
bool cut_alike(const SplitPattern& split, std::string_view text, const std::vector<KnownEnd>& known) {
  std::size_t count = 0;
  bool same = true;
  split.cut(text, [&](std::size_t end) {
    same = same && count < known.size() && known[count].at == end;
    ++count;
  });
  return same;
}

}  // namespace

std::size_t prove_cut(const SplitPattern& split, const std::vector<const SplitPattern*>& steps,
                      std::string_view text, const std::function<bool(std::size_t at)>& accept) {
  constexpr int kTries = 32;  // each cuts a window again
  text = text.substr(0, complete_utf8_prefix(text));
  for (std::size_t window = std::size_t{4} << 10;; window *= 64) {
    // Words that are known of the text before the window are the same for every cut inside it.
    std::size_t middle = text.size() > window ? text.size() - window : 0;
    middle = complete_utf8_prefix(text.substr(0, middle));
    const std::vector<KnownEnd> before = known_ends(steps, text.substr(0, middle));
    const auto last = std::ranges::find_if(before | std::views::reverse, &KnownEnd::restarts);
    const std::size_t begin = last == std::ranges::rend(before) ? 0 : last->at;
    const std::vector<KnownEnd> known = known_ends(steps, text.substr(begin));
    int tries = 0;
    for (const KnownEnd& end : known | std::views::reverse) {
      const std::size_t at = begin + end.at;
      if (at < middle || at == 0 || tries == kTries) break;
      if (!end.restarts || at == text.size() || !accept(at)) continue;
      if (cut_alike(split, text.substr(begin, end.at), known)) return at;
      ++tries;
    }
    if (middle == 0) return 0;
  }
}

}  // namespace vkgpt::text
