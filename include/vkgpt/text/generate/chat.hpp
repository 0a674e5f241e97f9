#pragma once

#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "vkgpt/text/tokenizer/tokenizer.hpp"

namespace vkgpt::text {

/// How a conversation is written down for a model. A turn is its prefix, the words, and `turn_end`; a reply
/// ends where the model writes `turn_end`.
struct ChatTemplate {
  std::string system_prefix;
  std::string user_prefix;
  std::string reply_prefix;
  std::string turn_end;

  friend bool operator==(const ChatTemplate&, const ChatTemplate&) = default;
};

/// "chatml", "llama3" or "plain" ("User: ...", "Assistant: ...", a line each); "auto" takes the first whose
/// special tokens `tokenizer` has. Throws usage errors.
ChatTemplate chat_template(std::string_view name, const Tokenizer& tokenizer);

struct ChatMessage {
  enum class Role { kSystem, kUser, kReply };

  Role role = Role::kUser;
  std::string text;
};

/// The tokens of a conversation, followed by the beginning of the reply that is wanted. What people wrote is
/// plain text: it cannot name special tokens.
std::vector<Token> chat_prompt(std::span<const ChatMessage> messages, const ChatTemplate& chat,
                               const Tokenizer& tokenizer);

}  // namespace vkgpt::text
