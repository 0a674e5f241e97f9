

#include "fuzz/fuzz_target.hpp"
#include "text/tokenizer/tokenizer_formats.hpp"

namespace vkgpt::fuzz {

VKGPT_FUZZ_TARGET(special_names) {
  text::parse_special_names(input, "input");
}

}  // namespace vkgpt::fuzz
