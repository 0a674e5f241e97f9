#pragma once

#include <cstddef>
#include <string_view>

#include "vkgpt/text/chat/chat_request.hpp"

namespace vkgpt::text {

/// A conversation with two endings.
struct PreferencePair {
  ChatRequest chosen;
  ChatRequest rejected;
  std::size_t earlier_replies = 0;  ///< of an assistant, before the endings begin
};

/// Whether a JSON object has a chosen and a rejected reply.
bool is_preference_pair(const ChatJson& record);

/// Reads a record as TRL takes it: {"prompt", "chosen", "rejected"} of strings or lists of messages, or
/// {"chosen", "rejected"} of lists that begin alike, and "tools". A string is what a user, or an assistant,
/// says. Each of both must be a conversation as `read_conversation` takes it that ends with its own turns.
/// Throws `BadConversation`.
PreferencePair parse_preference_pair(std::string_view record);

}  // namespace vkgpt::text
