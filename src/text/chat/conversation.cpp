#include "vkgpt/text/chat/conversation.hpp"

#include <algorithm>
#include <array>
#include <optional>
#include <utility>

#include "vkgpt/core/format.hpp"
#include "vkgpt/core/json.hpp"
#include "vkgpt/text/chat/chat_format.hpp"
#include "vkgpt/text/chat/python_json.hpp"

#include "text/chat/request_values.hpp"

namespace vkgpt::text {
namespace {

using namespace std::string_view_literals;

template <typename... Args>
[[noreturn]] void refuse(BadRecord kind, std::format_string<Args...> text, Args&&... args) {
  throw BadConversation(kind, vkgpt::format(text, std::forward<Args>(args)...));
}

bool has(const ChatJson& record, const char* key) {
  return record.contains(key) && !record[key].is_null();
}

const std::string& string_of(const ChatJson& record, const char* key) {
  if (!has(record, key)) refuse(BadRecord::kForm, "it has no {}", json_quoted(key));
  if (!record[key].is_string()) refuse(BadRecord::kForm, "its {} is not a string", json_quoted(key));
  return record[key].get_ref<const std::string&>();
}

const ChatJson& list_of(const ChatJson& record, const char* key) {
  if (!record[key].is_array()) refuse(BadRecord::kForm, "its {} is not a list", json_quoted(key));
  return record[key];
}

ChatJson message(std::string_view role, const ChatJson& content) {
  return {{"role", role}, {"content", content}};
}

/// JSON inside a string; null where it is none.
ChatJson opened(const std::string& text) {
  try {
    return parse_chat_json(text, "a string");
  } catch (const Error&) {
    return {};
  }
}

/// Tools as a list; in some sets it is a string of JSON.
ChatJson tools_of(const ChatJson& record) {
  if (!has(record, "tools")) return {};
  ChatJson tools = record["tools"];
  if (tools.is_string()) {
    const std::string text = tools.get<std::string>();
    if (text.find_first_not_of(" \t\r\n") == std::string::npos) return {};
    tools = opened(text);
  }
  if (!tools.is_array()) refuse(BadRecord::kForm, "its \"tools\" are no list");
  return tools.empty() ? ChatJson() : tools;
}

/// ShareGPT's names of who speaks.
std::string_view role_of(const std::string& from) {
  constexpr std::pair<std::string_view, std::string_view> kNames[] = {{"human", "user"},
                                                                      {"user", "user"},
                                                                      {"gpt", "assistant"},
                                                                      {"assistant", "assistant"},
                                                                      {"chatgpt", "assistant"},
                                                                      {"bard", "assistant"},
                                                                      {"bing", "assistant"},
                                                                      {"model", "assistant"},
                                                                      {"system", "system"},
                                                                      {"tool", "tool"},
                                                                      {"observation", "tool"},
                                                                      {"function_response", "tool"},
                                                                      {"function_call", "assistant"}};
  const auto* const found =
      std::ranges::find(kNames, from, &std::pair<std::string_view, std::string_view>::first);
  if (found == std::ranges::end(kNames))
    refuse(BadRecord::kForm, "{} is nobody who speaks", json_quoted(from));
  return found->second;
}

/// Text parts, one after the other, as a string.
void join_parts(ChatJson& content) {
  if (!content.is_array()) return;
  std::string text;
  for (const ChatJson& part : content) {
    if (!part.is_object() || !part.contains("type") || part["type"] != "text") {
      refuse(BadRecord::kForm, "a content has parts that are not text");
    }
    text += string_of(part, "text");
  }
  content = text;
}

/// Messages whose calls are those of `given`, their arguments as strings: as they are, or as Python writes
/// them.
ChatJson with_text_calls(ChatJson messages, const ChatJson& given) {
  for (std::size_t i = 0; i < messages.size(); ++i) {
    if (!has(given[i], "tool_calls")) continue;
    messages[i]["tool_calls"] = given[i]["tool_calls"];
    for (ChatJson& call : messages[i]["tool_calls"]) {
      ChatJson& function =
          call.contains("function") && call["function"].is_object() ? call["function"] : call;
      if (!function.contains("arguments") || !function["arguments"].is_object()) continue;
      function["arguments"] = jinja::python_json(function["arguments"]);
    }
  }
  return messages;
}

/// Arguments as an object, which most templates expect.
void open_arguments(ChatJson& calls) {
  if (!calls.is_array()) refuse(BadRecord::kForm, "\"tool_calls\" is not a list");
  for (ChatJson& call : calls) {
    if (!call.is_object()) refuse(BadRecord::kForm, "a call is not an object");
    ChatJson& function = call.contains("function") && call["function"].is_object() ? call["function"] : call;
    if (!function.contains("arguments") || !function["arguments"].is_string()) continue;
    ChatJson arguments = opened(function["arguments"].get<std::string>());
    if (arguments.is_object()) function["arguments"] = std::move(arguments);
  }
}

bool calls_tools(const ChatJson& message) {
  return has(message, "tool_calls") && !message["tool_calls"].empty();
}

/// The kind of a turn for the order of turns.
enum class Turn { kSystem, kUser, kAssistant, kTool };

Turn turn_of(const std::string& role) {
  if (role == "system" || role == "developer") return Turn::kSystem;
  if (role == "user") return Turn::kUser;
  if (role == "assistant") return Turn::kAssistant;
  if (role == "tool" || role == "function" || role == "ipython") return Turn::kTool;
  refuse(BadRecord::kRoles, "there is no role {}", json_quoted(role));
}

std::string_view turn_name(std::optional<Turn> turn) {
  constexpr std::array kNames = {"a system's turn"sv, "a user's"sv, "an assistant's"sv, "a tool's"sv};
  return turn ? kNames[static_cast<std::size_t>(*turn)] : "the beginning"sv;
}

/// Whether `turn` may follow `before`, of which `called` says whether it called tools.
bool may_follow(Turn turn, std::optional<Turn> before, bool called) {
  switch (turn) {
    case Turn::kSystem:
      return !before;
    case Turn::kUser:
      return !before || before == Turn::kSystem || (before == Turn::kAssistant && !called);
    case Turn::kAssistant:
      return before == Turn::kUser || before == Turn::kTool;
    case Turn::kTool:
      return before == Turn::kTool || (before == Turn::kAssistant && called);
  }
  return false;
}

void check_reply(ChatJson& message) {
  if (has(message, "weight") && message["weight"] == 0) {
    refuse(BadRecord::kForm, "a reply has the \"weight\" 0: replies cannot be left out one by one");
  }
  if (has(message, "tool_calls")) open_arguments(message["tool_calls"]);
  if (calls_tools(message)) return;
  if (!has(message, "content") || !message["content"].is_string()) {
    refuse(BadRecord::kEmpty, "an assistant says nothing");
  }
  const auto& content = message["content"].get_ref<const std::string&>();
  if (content.find_first_not_of(" \t\r\n") == std::string::npos) {
    refuse(BadRecord::kEmpty, "an assistant says nothing");
  }
}

/// `calls_in_text`: replies may hold calls in their text, so that results of tools may follow any.
void check_messages(ChatJson& messages, bool calls_in_text) {
  std::optional<Turn> before;
  bool called = false, replied = false;
  std::size_t number = 0;
  for (ChatJson& message : messages) {
    ++number;
    if (!message.is_object()) refuse(BadRecord::kForm, "message {} is not an object", number);
    const Turn turn = turn_of(string_of(message, "role"));
    if (message.contains("content")) join_parts(message["content"]);
    const bool is_result = turn == Turn::kTool && before == Turn::kAssistant && calls_in_text;
    if (!is_result && !may_follow(turn, before, called)) {
      refuse(BadRecord::kRoles, "message {} is {} after {}{}", number, turn_name(turn), turn_name(before),
             before == Turn::kAssistant && turn == Turn::kTool ? " that calls none" : "");
    }
    if (turn == Turn::kAssistant) {
      check_reply(message);
      replied = true;
    } else if (!has(message, "content")) {
      refuse(BadRecord::kForm, "message {} has no content", number);
    }
    called = turn == Turn::kAssistant && calls_tools(message);
    before = turn;
  }
  if (!replied) refuse(BadRecord::kRoles, "no assistant replies");
}

ChatJson of_sharegpt(const ChatJson& record) {
  ChatJson messages = ChatJson::array();
  if (has(record, "system") && !string_of(record, "system").empty()) {
    messages.push_back(message("system", string_of(record, "system")));
  }
  for (const ChatJson& turn : list_of(record, "conversations")) {
    if (!turn.is_object()) refuse(BadRecord::kForm, "a turn is not an object");
    if (turn.contains("role")) {
      messages.push_back(turn);
    } else {
      messages.push_back(message(role_of(string_of(turn, "from")), string_of(turn, "value")));
    }
  }
  return messages;
}

ChatJson of_alpaca(const ChatJson& record) {
  ChatJson messages = ChatJson::array();
  if (has(record, "system") && !string_of(record, "system").empty()) {
    messages.push_back(message("system", string_of(record, "system")));
  }
  std::string asked = string_of(record, "instruction");
  if (has(record, "input") && !string_of(record, "input").empty())
    asked += "\n\n" + string_of(record, "input");
  messages.push_back(message("user", asked));
  messages.push_back(message("assistant", string_of(record, "output")));
  return messages;
}

ChatJson of_completion(const ChatJson& record) {
  if (!record["prompt"].is_array()) {
    return ChatJson::array({message("user", string_of(record, "prompt")),
                            message("assistant", string_of(record, "completion"))});
  }
  ChatJson messages = record["prompt"];
  for (const ChatJson& turn : list_of(record, "completion")) messages.push_back(turn);
  return messages;
}

}  // namespace

std::string_view bad_record_name(BadRecord kind) {
  constexpr std::array<std::string_view, kBadRecordKinds> kNames = {
      "invalid JSON",  "not a conversation",           "roles out of order",
      "empty replies", "refused by the chat template", "without a reply in the template's text"};
  return kNames[static_cast<std::size_t>(kind)];
}

bool is_conversation(const ChatJson& record) {
  if (!record.is_object()) return false;
  return record.contains("messages") || record.contains("conversations") ||
         (record.contains("instruction") && record.contains("output")) ||
         (record.contains("prompt") && record.contains("completion"));
}

Conversation read_conversation(const ChatJson& record) {
  if (!is_conversation(record)) {
    refuse(BadRecord::kForm,
           "it has neither \"messages\" nor \"conversations\" nor \"instruction\" and \"output\" nor "
           "\"prompt\" and "
           "\"completion\"");
  }
  Conversation conversation;
  conversation.request.add_generation_prompt = false;
  if (record.contains("messages")) {
    conversation.form = kConversationForms[0];
    conversation.request.messages = list_of(record, "messages");
  } else if (record.contains("conversations")) {
    conversation.form = kConversationForms[1];
    conversation.request.messages = of_sharegpt(record);
  } else if (record.contains("instruction")) {
    conversation.form = kConversationForms[2];
    conversation.request.messages = of_alpaca(record);
  } else {
    conversation.form = kConversationForms[3];
    conversation.request.messages = of_completion(record);
  }
  conversation.request.tools = tools_of(record);
  ChatJson& messages = conversation.request.messages;
  const bool calls = std::ranges::any_of(
      messages, [](const ChatJson& one) { return one.is_object() && has(one, "tool_calls"); });
  const ChatJson given = calls ? messages : ChatJson();
  check_messages(messages, record.contains("conversations") && !record.contains("messages"));
  if (calls) conversation.request.text_calls = with_text_calls(messages, given);
  return conversation;
}

Conversation parse_conversation(std::string_view record) {
  ChatJson json;
  try {
    json = parse_python_json(record, "the record");
  } catch (const Error& error) {
    throw BadConversation(BadRecord::kJson, error.what());
  }
  return read_conversation(json);
}

}  // namespace vkgpt::text
