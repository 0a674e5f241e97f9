#include "vkgpt/text/chat/conversation.hpp"

#include "fuzz/fuzz_target.hpp"

namespace vkgpt::fuzz {

VKGPT_FUZZ_TARGET(conversation) {
  text::parse_conversation(input);
}

}  // namespace vkgpt::fuzz
