#include "vkgpt/core/check.hpp"

#include "fuzz/fuzz_target.hpp"
#include "text/tokenizer/tokenizer_formats.hpp"

namespace vkgpt::fuzz {

VKGPT_FUZZ_TARGET(tiktoken) {
  const auto tokenizer = text::parse_tiktoken(input, "r50k_base.tiktoken", "input");
  VKGPT_CHECK(tokenizer->decode(tokenizer->encode(input)) == input);
}

}  // namespace vkgpt::fuzz
