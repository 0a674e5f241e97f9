#include <memory>
#include <string>
#include <vector>

#include "vkgpt/core/check.hpp"

#include "fuzz/fuzz_target.hpp"
#include "text/tokenizer/tokenizer_formats.hpp"

namespace vkgpt::fuzz {

/// What was read is written so that it reads the same.
VKGPT_FUZZ_TARGET(tokenizer_json) {
  const text::SpecialNames names;
  const std::unique_ptr<text::Tokenizer> tokenizer = text::parse_tokenizer_json(input, names, "input");
  const std::string written = tokenizer->files().front().contents;
  const auto again = text::parse_tokenizer_json(written, names, "output");
  VKGPT_CHECK(again->vocab_size() == tokenizer->vocab_size());
  const std::string_view text = input.substr(0, 500);
  std::vector<text::Token> tokens;
  try {
    tokens = tokenizer->encode(text);
  } catch (const Error&) {  // a pattern without end, or characters that it does not know
    return;
  }
  tokenizer->decode(tokens);
  VKGPT_CHECK(again->encode(text) == tokens, "{}", written);
}

}  // namespace vkgpt::fuzz
