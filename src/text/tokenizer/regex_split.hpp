#pragma once

#include <memory>
#include <string>
#include <string_view>

#include "vkgpt/text/tokenizer/split_pattern.hpp"

struct pcre2_real_code_8;

namespace vkgpt::text {

/// Words by any regular expression, run by PCRE2 with Unicode classes: a word is a match, or what lies
/// between two. Bytes that are not UTF-8 never match. See `make_regex_split`.
class RegexSplit final : public SplitPattern {
 public:
  RegexSplit(std::string regex, std::string where);

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
  bool jit_ = false;
};

}  // namespace vkgpt::text
