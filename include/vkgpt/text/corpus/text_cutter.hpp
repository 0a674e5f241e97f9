#pragma once

#include <cstddef>
#include <functional>
#include <optional>
#include <string>
#include <string_view>

#include "vkgpt/text/corpus/text_source.hpp"

namespace vkgpt::text {

/// Hands a source's text on in pieces that can be encoded each on its own: their tokens, one after the other,
/// are those of the whole document.
class TextCutter {
 public:
  /// `Tokenizer::safe_prefix` or `SplitPattern::safe_prefix`.
  using SafePrefix = std::function<std::size_t(std::string_view)>;

  /// `source` outlives the cutter, which begins where it stands.
  TextCutter(TextSource& source, SafePrefix safe_prefix);

  /// The next piece; its `offset` is a place where another cutter may go on. Throws `Error` for a text that
  /// has no place to cut within 64 MiB.
  std::optional<TextPiece> next();

 private:
  TextSource& source_;
  SafePrefix safe_prefix_;
  std::string pending_;  // read, but not known to be complete
};

}  // namespace vkgpt::text
