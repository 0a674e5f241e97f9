#include "vkgpt/text/chat/conversation.hpp"

#include <string>

#include <gtest/gtest.h>

#include "support/expect_error.hpp"

namespace vkgpt::text {
namespace {

/// "role: content" of every message, one after the other.
std::string told(const std::string& record) {
  std::string text;
  for (const ChatJson& message : parse_conversation(record).request.messages) {
    text += message["role"].get<std::string>() + ": ";
    text += message.contains("content") && message["content"].is_string()
                ? message["content"].get<std::string>()
                : "";
    text += "; ";
  }
  return text;
}

TEST(Conversation, IsReadFromEveryForm) {
  EXPECT_EQ(told(R"({"messages": [{"role": "system", "content": "S"}, {"role": "user", "content": "A"},
                                  {"role": "assistant", "content": "B"}]})"),
            "system: S; user: A; assistant: B; ");
  EXPECT_EQ(
      told(
          R"({"system": "S", "conversations": [{"from": "human", "value": "A"}, {"from": "gpt", "value": "B"}]})"),
      "system: S; user: A; assistant: B; ");
  EXPECT_EQ(told(R"({"instruction": "Add.", "input": "1 2", "output": "3"})"),
            "user: Add.\n\n1 2; assistant: 3; ");
  EXPECT_EQ(told(R"({"instruction": "Say hi.", "input": "", "output": "Hi"})"),
            "user: Say hi.; assistant: Hi; ");
  EXPECT_EQ(told(R"({"prompt": "A", "completion": "B"})"), "user: A; assistant: B; ");
  EXPECT_EQ(told(R"({"prompt": [{"role": "user", "content": "A"}],
                     "completion": [{"role": "assistant", "content": "B"}]})"),
            "user: A; assistant: B; ");
  EXPECT_EQ(parse_conversation(R"({"prompt": "A", "completion": "B"})").form, "prompt/completion");
  EXPECT_FALSE(parse_conversation(R"({"prompt": "A", "completion": "B"})").request.add_generation_prompt);
}

TEST(Conversation, KeepsToolsAndOpensTheirArguments) {
  const Conversation c = parse_conversation(
      R"({"messages": [{"role": "user", "content": [{"type": "text", "text": "a"}, {"type": "text", "text": "b"}]},
          {"role": "assistant", "content": null,
           "tool_calls": [{"type": "function", "function": {"name": "f", "arguments": "{\"x\": 1}"}}]},
          {"role": "tool", "content": "2"}, {"role": "assistant", "content": "c"}],
          "tools": "[{\"type\": \"function\", \"function\": {\"name\": \"f\"}}]"})");
  const ChatJson& messages = c.request.messages;
  EXPECT_EQ(messages[0]["content"], "ab");
  EXPECT_EQ(messages[1]["tool_calls"][0]["function"]["arguments"]["x"], 1);
  EXPECT_EQ(messages[2]["role"], "tool");
  EXPECT_EQ(c.request.tools[0]["function"]["name"], "f");
}

TEST(Conversation, TakesShareGptsCallsInTheText) {
  EXPECT_EQ(told(R"({"system": "", "conversations": [{"from": "human", "value": "A"},
                     {"from": "function_call", "value": "{}"}, {"from": "observation", "value": "o"},
                     {"from": "gpt", "value": "B"}]})"),
            "user: A; assistant: {}; tool: o; assistant: B; ");
  EXPECT_EQ(told(R"({"conversations": [{"from": "human", "value": "A"},
                     {"from": "gpt", "value": "<tool_call>{}</tool_call>"}, {"from": "tool", "value": "o"},
                     {"from": "gpt", "value": "B"}, {"from": "human", "value": "C"},
                     {"from": "gpt", "value": "D"}]})"),
            "user: A; assistant: <tool_call>{}</tool_call>; tool: o; assistant: B; user: C; assistant: D; ");
}

TEST(Conversation, IsReadAsPythonWritesIt) {
  EXPECT_EQ(told(R"({"prompt": "A \ud83d", "completion": "B NaN", "score": NaN})"),
            "user: A \ufffd; assistant: B NaN; ");
}

BadRecord kind_of(const std::string& record) {
  try {
    parse_conversation(record);
  } catch (const BadConversation& error) {
    return error.kind();
  }
  ADD_FAILURE() << record;
  return BadRecord::kJson;
}

TEST(Conversation, SaysWhatIsWrong) {
  EXPECT_EQ(kind_of(R"({"messages": [{"role": "user", "con)"), BadRecord::kJson);
  EXPECT_EQ(kind_of(R"({"text": "a"})"), BadRecord::kForm);
  EXPECT_EQ(kind_of(R"({"messages": "a"})"), BadRecord::kForm);
  EXPECT_EQ(kind_of(R"({"messages": [1]})"), BadRecord::kForm);
  EXPECT_EQ(kind_of(R"({"messages": [{"role": "user", "content": [{"type": "image_url"}]}]})"),
            BadRecord::kForm);
  EXPECT_EQ(kind_of(R"({"conversations": [{"from": "nobody", "value": "a"}]})"), BadRecord::kForm);
  EXPECT_EQ(kind_of(R"({"instruction": "a", "output": 1})"), BadRecord::kForm);
  EXPECT_EQ(kind_of(R"({"messages": []})"), BadRecord::kRoles);
  EXPECT_EQ(kind_of(R"({"messages": [{"role": "user", "content": "a"}]})"), BadRecord::kRoles);
  EXPECT_EQ(kind_of(R"({"messages": [{"role": "assistant", "content": "a"}]})"), BadRecord::kRoles);
  EXPECT_EQ(kind_of(R"({"messages": [{"role": "user", "content": "a"}, {"role": "user", "content": "b"},
                                     {"role": "assistant", "content": "c"}]})"),
            BadRecord::kRoles);
  EXPECT_EQ(
      kind_of(R"({"messages": [{"role": "user", "content": "a"}, {"role": "system", "content": "b"}]})"),
      BadRecord::kRoles);
  EXPECT_EQ(kind_of(R"({"messages": [{"role": "user", "content": "a"}, {"role": "assistant", "content": "b"},
                                     {"role": "tool", "content": "c"}]})"),
            BadRecord::kRoles);
  EXPECT_EQ(
      kind_of(R"({"messages": [{"role": "user", "content": "a"}, {"role": "assistant", "content": " \n"}]})"),
      BadRecord::kEmpty);
  EXPECT_EQ(kind_of(R"({"messages": [{"role": "user", "content": "a"}, {"role": "assistant"}]})"),
            BadRecord::kEmpty);
  EXPECT_EQ(kind_of(R"({"messages": [{"role": "user", "content": "a"},
                                     {"role": "assistant", "content": "b", "weight": 0}]})"),
            BadRecord::kForm);
  expect_error(
      [] {
        parse_conversation(R"({"messages": [{"role": "user", "content": "a"},
                                           {"role": "user", "content": "b"}]})");
      },
      "message 2 is a user's after a user's");
}

}  // namespace
}  // namespace vkgpt::text
