#pragma once

#include <string>
#include <string_view>

#include "vkgpt/core/error.hpp"
#include "vkgpt/text/chat/chat_request.hpp"

namespace vkgpt::text {

/// Why a record is of no use as a conversation to learn from.
enum class BadRecord {
  kJson,      ///< no JSON
  kForm,      ///< of none of the known forms, or something in it is of another kind
  kRoles,     ///< roles out of order
  kEmpty,     ///< an assistant that says nothing
  kTemplate,  ///< the chat template fails or refuses it
  kNoReply,   ///< the template writes nothing that an assistant says
};
inline constexpr std::size_t kBadRecordKinds = 6;
/// "invalid JSON", "roles out of order", ...
std::string_view bad_record_name(BadRecord kind);

/// A record that is of no use; the message says why, without a place.
class BadConversation : public Error {
 public:
  BadConversation(BadRecord kind, const std::string& message) : Error(message), kind_(kind) {}
  BadRecord kind() const { return kind_; }

 private:
  BadRecord kind_;
};

/// A conversation to learn from and the form in which it came.
struct Conversation {
  ChatRequest request;    ///< without a generation prompt
  std::string_view form;  ///< one of kConversationForms
};

inline constexpr std::string_view kConversationForms[] = {"messages", "conversations", "instruction",
                                                          "prompt/completion"};

/// Whether a JSON object has the keys of one of the forms.
bool is_conversation(const ChatJson& record);

/// Reads a record of any form:
/// - OpenAI's {"messages": [{"role", "content", ...}], "tools": [...]};
/// - ShareGPT's {"conversations": [{"from", "value"}], "system", "tools"}, with from human, gpt, system, tool
/// and
///   their usual other names;
/// - Alpaca's {"instruction", "input", "output", "system"}: the user's words are the instruction and, after
/// an empty
///   line, the input where there is one;
/// - {"prompt", "completion"}: two strings, a user's and an assistant's words, or two lists of messages.
/// Contents that are lists of text parts become strings, arguments of calls that are strings of JSON become
/// objects. Roles: a system (or developer) first if there is one, then turns of user and assistant, the
/// user's first; after calls the results of tools. At least one reply, none of them empty. Throws
/// `BadConversation`.
Conversation read_conversation(const ChatJson& record);
/// The same of its text.
Conversation parse_conversation(std::string_view record);

}  // namespace vkgpt::text
