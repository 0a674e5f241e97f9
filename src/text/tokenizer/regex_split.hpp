#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <functional>
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
  /// By trial, where matches are words of their own and look at nothing before them; else 0.
  std::size_t safe_prefix(std::string_view text) const override;
  std::size_t last_cut(std::string_view text,
                       const std::function<bool(std::size_t at)>& accept) const override;
  std::size_t cut_open(std::string_view text,
                       const std::function<void(std::size_t end)>& on_word) const override;
  std::string regex() const override { return regex_; }

 private:
  struct FreeCode {
    void operator()(pcre2_real_code_8* code) const;
  };

  /// Where the first match from `at` on is, `at` being behind the last byte that is not UTF-8. Not complete:
  /// it depends on what follows `text`; then none begins before `begin`.
  struct OpenMatch {
    Match match;
    bool complete = false;
  };
  OpenMatch find_open(std::string_view text, std::size_t at) const;
  int run(std::string_view text, std::size_t at, std::uint32_t options, Match& found) const;

  std::string regex_;
  std::string where_;
  std::unique_ptr<pcre2_real_code_8, FreeCode> code_;
  SplitBehavior behavior_;
  bool jit_ = false;
  bool looks_behind_ = true;
};

/// `text` as a regular expression that matches it and nothing else.
std::string literal_regex(std::string_view text);

}  // namespace vkgpt::text
