#include "vkgpt/text/task/multiple_choice.hpp"

#include "fuzz/fuzz_target.hpp"

namespace vkgpt::fuzz {

VKGPT_FUZZ_TARGET(choice_item) {
  text::read_choice_item(input, "input");
}

}  // namespace vkgpt::fuzz
