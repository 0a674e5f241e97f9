#pragma once

#include <array>
#include <cstddef>
#include <memory>
#include <string>
#include <string_view>

#include "vkgpt/text/tokenizer/split_pattern.hpp"

struct pcre2_real_code_8;

namespace vkgpt::text {

/// What becomes of the matches of a pattern: words of their own, or parts of words.
enum class SplitBehavior { kIsolated, kRemoved, kMergedWithPrevious, kMergedWithNext, kContiguous };

/// Hugging Face's words for them.
inline constexpr std::array<std::string_view, 5> kSplitBehaviorNames = {
    "Isolated", "Removed", "MergedWithPrevious", "MergedWithNext", "Contiguous"};

/// Words by any regular expression, run by PCRE2 with Unicode classes: isolated, a word is a match, or what
/// lies between two. Bytes that are not UTF-8 never match. See `make_regex_split`.
class RegexSplit final : public SplitPattern {
 public:
  /// A stretch of a text that matches; empty where nothing does.
  struct Match {
    std::size_t begin = 0;
    std::size_t end = 0;
  };

  RegexSplit(std::string regex, std::string where, SplitBehavior behavior = SplitBehavior::kIsolated);

  /// The first match from `at` on that is not empty.
  Match find(std::string_view text, std::size_t at) const;
  SplitBehavior behavior() const { return behavior_; }

  std::size_t next(std::string_view text, std::size_t at) const override;
  /// 0: of an unknown expression nothing can be said before the text's end.
  std::size_t safe_prefix(std::string_view) const override { return 0; }
  std::string regex() const override { return regex_; }

 private:
  struct FreeCode {
    void operator()(pcre2_real_code_8* code) const;
  };

  std::string regex_;
  std::string where_;
  std::unique_ptr<pcre2_real_code_8, FreeCode> code_;
  SplitBehavior behavior_;
  bool jit_ = false;
};

/// `text` as a regular expression that matches it and nothing else.
std::string literal_regex(std::string_view text);

}  // namespace vkgpt::text
