#include "vkgpt/core/check.hpp"
#include "vkgpt/text/corpus/text_source.hpp"

#include "fuzz/fuzz_target.hpp"

namespace vkgpt::fuzz {

VKGPT_FUZZ_TARGET(text_source) {
  std::string text;
  write_input("text.txt", input);
  text::TextSource plain({.inputs = {(directory() / "text.txt").string()}, .piece_bytes = 16});
  while (const std::optional<text::TextPiece> piece = plain.next()) text += piece->text;
  VKGPT_CHECK(text == input || input.starts_with("\xef\xbb\xbf"), "{} bytes of {}", text.size(),
              input.size());

  text::TextSource lines({.inputs = {write_input("text.jsonl", input).string()}});
  while (lines.next()) {
  }
}

}  // namespace vkgpt::fuzz
