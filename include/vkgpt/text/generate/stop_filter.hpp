#pragma once

#include <string>
#include <vector>

#include "vkgpt/text/tokenizer/tokenizer.hpp"

namespace vkgpt::text {

/// Turns the tokens of a text, as they are drawn, into what may be shown: whole characters, up to the first
/// stop text or token that ends a text, both left out.
class StopFilter {
 public:
  /// `tokenizer` must outlive the filter. Empty stop texts are ignored.
  StopFilter(const Tokenizer& tokenizer, std::vector<std::string> stops);

  /// What `token` lets be shown: nothing that may still turn out to begin a stop text.
  std::string push(Token token);
  /// What was held back, where the text ended otherwise.
  std::string finish();

  /// Whether a stop text or a token that ends a text came.
  bool stopped() const { return stopped_; }

 private:
  std::string release(bool all);

  const Tokenizer* tokenizer_;
  StreamDecoder decoder_;
  std::vector<std::string> stops_;
  std::string held_;
  bool stopped_ = false;
};

}  // namespace vkgpt::text
