#include <array>
#include <memory>
#include <vector>

#include "vkgpt/core/check.hpp"
#include "vkgpt/text/tokenizer/make_split.hpp"

#include "fuzz/fuzz_target.hpp"

namespace vkgpt::fuzz {

VKGPT_FUZZ_TARGET(split_pattern) {
  static const std::array<std::unique_ptr<text::SplitPattern>, 4> kPatterns = {
      text::make_split_pattern("gpt2"), text::make_split_pattern("cl100k"), text::make_split_pattern("o200k"),
      text::make_split_pattern("none")};
  const auto words_of = [](const text::SplitPattern& split, std::string_view text) {
    std::vector<std::string_view> words;
    for (std::size_t at = 0; at < text.size();) {
      const std::size_t end = split.next(text, at);
      VKGPT_CHECK(end > at && end <= text.size(), "{}: {} to {} of {}", split.regex(), at, end, text.size());
      words.push_back(text.substr(at, end - at));
      at = end;
    }
    return words;
  };
  for (const auto& split : kPatterns) {
    const std::vector<std::string_view> words = words_of(*split, input);
    // What may be cut off without knowing the rest gives the words of the whole.
    for (const std::size_t known : {input.size() / 2, input.size()}) {
      const std::size_t cut = split->safe_prefix(input.substr(0, known));
      VKGPT_CHECK(cut <= known, "{}: {} of {}", split->regex(), cut, known);
      std::vector<std::string_view> parts = words_of(*split, input.substr(0, cut));
      const std::vector<std::string_view> rest = words_of(*split, input.substr(cut));
      parts.insert(parts.end(), rest.begin(), rest.end());
      VKGPT_CHECK(parts == words, "{}: cut at {} of {}", split->regex(), cut, input.size());
    }
  }
}

}  // namespace vkgpt::fuzz
