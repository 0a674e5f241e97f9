#include <algorithm>

#include "vkgpt/core/check.hpp"

#include "fuzz/fuzz_target.hpp"
#include "text/tokenizer/tokenizer_formats.hpp"

namespace vkgpt::fuzz {

/// vocab.json, a zero byte, merges.txt.
VKGPT_FUZZ_TARGET(vocab_merges) {
  const std::size_t end = std::min(input.find('\0'), input.size());
  const auto tokenizer = text::parse_vocab_and_merges(
      input.substr(0, end), input.substr(std::min(end + 1, input.size())), text::SpecialNames{}, "input");
  VKGPT_CHECK(tokenizer->decode(tokenizer->encode(input)) == input);
}

}  // namespace vkgpt::fuzz
