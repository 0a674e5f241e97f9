#include "vkgpt/text/chat/preference_pair.hpp"

#include "fuzz/fuzz_target.hpp"

namespace vkgpt::fuzz {

VKGPT_FUZZ_TARGET(preference_pair) {
  text::parse_preference_pair(input);
}

}  // namespace vkgpt::fuzz
