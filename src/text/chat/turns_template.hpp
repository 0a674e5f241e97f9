#pragma once

#include <string>

#include "vkgpt/text/chat/chat_request.hpp"

namespace vkgpt::text {

/// Turns as a template.
std::string turns_template(const ChatTurns& turns);

}  // namespace vkgpt::text
