#include "vkgpt/text/chat/preference_pair.hpp"

#include <algorithm>
#include <string>
#include <utility>

#include "vkgpt/core/format.hpp"
#include "vkgpt/text/chat/conversation.hpp"
#include "vkgpt/text/chat/python_json.hpp"

namespace vkgpt::text {
namespace {

constexpr const char* kBoth[] = {"chosen", "rejected"};

[[noreturn]] void refuse(const std::string& why) {
  throw BadConversation(BadRecord::kForm, why);
}

/// A list of messages; a string is what `role` says.
ChatJson turns_of(const ChatJson& record, const char* key, const char* role) {
  const ChatJson& value = record[key];
  if (value.is_string()) return ChatJson::array({{{"role", role}, {"content", value}}});
  if (!value.is_array() || value.empty())
    refuse(vkgpt::format("its \"{}\" holds no words and no messages", key));
  return value;
}

/// Takes what two lists begin with away from both.
ChatJson take_common(ChatJson& chosen, ChatJson& rejected) {
  ChatJson common = ChatJson::array();
  while (!chosen.empty() && !rejected.empty() && chosen.front() == rejected.front()) {
    common.push_back(chosen.front());
    chosen.erase(chosen.begin());
    rejected.erase(rejected.begin());
  }
  return common;
}

ChatRequest request_of(const ChatJson& record, const ChatJson& prompt, const ChatJson& ending,
                       const char* key) {
  ChatJson messages = prompt;
  for (const ChatJson& turn : ending) messages.push_back(turn);
  ChatJson conversation = {{"messages", std::move(messages)}};
  if (record.contains("tools")) conversation["tools"] = record["tools"];
  try {
    return read_conversation(conversation).request;
  } catch (const BadConversation& error) {
    throw BadConversation(error.kind(), vkgpt::format("{}: {}", key, error.what()));
  }
}

bool is_reply(const ChatJson& message) {
  return message.is_object() && message.contains("role") && message["role"] == "assistant";
}

}  // namespace

bool is_preference_pair(const ChatJson& record) {
  return record.is_object() && record.contains("chosen") && record.contains("rejected");
}

PreferencePair parse_preference_pair(std::string_view record) {
  ChatJson json;
  try {
    json = parse_python_json(record, "the record");
  } catch (const Error& error) {
    throw BadConversation(BadRecord::kJson, error.what());
  }
  if (!is_preference_pair(json)) refuse("it has no \"chosen\" and \"rejected\"");
  ChatJson endings[] = {turns_of(json, kBoth[0], "assistant"), turns_of(json, kBoth[1], "assistant")};
  ChatJson prompt;
  if (json.contains("prompt")) {
    prompt = turns_of(json, "prompt", "user");
    // Beside whole conversations a string repeats what they begin with.
    if (json["prompt"].is_string() && json["chosen"].is_array() && json["rejected"].is_array()) {
      const ChatJson common = take_common(endings[0], endings[1]);
      if (!common.empty() && !is_reply(common.front())) prompt.clear();
      prompt.insert(prompt.end(), common.begin(), common.end());
    }
  } else {
    if (json["chosen"].is_string() || json["rejected"].is_string()) refuse("it has no \"prompt\"");
    prompt = take_common(endings[0], endings[1]);
  }
  if (endings[0] == endings[1]) refuse("what was chosen and what was rejected are the same");
  for (int i = 0; i < 2; ++i) {
    if (std::ranges::none_of(endings[i], is_reply))
      refuse(vkgpt::format("{}: no assistant replies", kBoth[i]));
  }
  return {.chosen = request_of(json, prompt, endings[0], kBoth[0]),
          .rejected = request_of(json, prompt, endings[1], kBoth[1]),
          .earlier_replies = static_cast<std::size_t>(std::ranges::count_if(prompt, is_reply))};
}

}  // namespace vkgpt::text
