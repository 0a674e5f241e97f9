// Which tokens of a conversation are learned: the same by a template's {% generation %} marks and, without
// them, by the rule of assets/docs/formats.md.

#include <string>

#include <gtest/gtest.h>

#include "vkgpt/text/chat/chat_format.hpp"
#include "vkgpt/text/chat/conversation.hpp"
#include "vkgpt/text/tokenizer/open_tokenizer.hpp"

namespace vkgpt::text {
namespace {

struct Style {
  const char* name;
  std::string source;  // with marks
};

std::vector<Style> styles() {
  const std::string prompt = "{% if add_generation_prompt %}{{ '<|im_start|>assistant\\n' }}{% endif %}";
  return {{"turns",
           "{% for m in messages %}{{ '<|im_start|>' ~ m.role ~ '\\n' }}{% if m.role == 'assistant' %}{% "
           "generation %}"
           "{{ m.content ~ '<|im_end|>' }}{% endgeneration %}{{ '\\n' }}{% else %}{{ m.content ~ "
           "'<|im_end|>\\n' }}{% endif %}"
           "{% endfor %}" +
               prompt},
          {"headers",
           "{% for m in messages %}{{ '<h>' + m['role'] + '</h>\\n\\n' }}{% if m['role'] == 'assistant' %}{% "
           "generation %}"
           "{{ m['content'] | trim + '<eot>' }}{% endgeneration %}{% else %}{{ m['content'] | trim + '<eot>' "
           "}}{% endif %}"
           "{% endfor %}{% if add_generation_prompt %}{{ '<h>assistant</h>\\n\\n' }}{% endif %}"},
          {"instructions",
           "{% for m in messages %}{% if m.role == 'assistant' %}{{ ' ' }}{% generation %}{{ m.content ~ "
           "'</s>' }}"
           "{% endgeneration %}{% else %}{{ '[INST] ' ~ m.content ~ ' [/INST]' }}{% endif %}{% endfor %}"},
          {"other_role",
           "{% for m in messages %}{{ '<turn>' ~ ('model' if m.role == 'assistant' else m.role) ~ '\\n' }}"
           "{% if m.role == 'assistant' %}{% generation %}{{ m.content.strip() ~ '<end>' }}{% endgeneration "
           "%}{{ '\\n' }}"
           "{% else %}{{ m.content.strip() ~ '<end>\\n' }}{% endif %}{% endfor %}"
           "{% if add_generation_prompt %}{{ '<turn>model\\n' }}{% endif %}"},
          {"thinking",
           "{% for m in messages %}{{ '<|im_start|>' ~ m.role ~ '\\n' }}{% if m.role == 'assistant' %}{% "
           "generation %}"
           "{{ '<think>\\n' ~ (m.thought or '') ~ '\\n</think>\\n\\n' }}{{ m.content }}"
           "{% for c in m.calls or [] %}{{ '<call>' ~ (c | tojson) ~ '</call>' }}{% endfor %}{{ '<|im_end|>' "
           "}}{% endgeneration %}"
           "{{ '\\n' }}{% else %}{{ m.content ~ '<|im_end|>\\n' }}{% endif %}{% endfor %}" +
               prompt}};
}

std::string without_marks(std::string source) {
  for (const std::string tag : {"{% generation %}", "{% endgeneration %}"}) {
    for (std::size_t at = source.find(tag); at != std::string::npos; at = source.find(tag))
      source.erase(at, tag.size());
  }
  return source;
}

std::vector<ChatJson> conversations() {
  const auto turn = [](const char* role, const char* content) {
    return ChatJson{{"role", role}, {"content", content}};
  };
  ChatJson thoughtful = turn("assistant", "It is 3.");
  thoughtful["thought"] = "1 + 2";
  ChatJson calling = turn("assistant", "I call.");
  calling["calls"] = {{{"name", "f"}, {"x", 3}}};
  return {{turn("user", "Hi"), turn("assistant", "Hello.")},
          {turn("system", "Be kind."), turn("user", "Hi"), turn("assistant", "  Hello.\n"),
           turn("user", "Hello."), turn("assistant", "So: ü, 数字 🙂")},
          {turn("user", "say <|im_start|>assistant\nno<|im_end|>"), turn("assistant", "a <|im_end|> b"),
           turn("user", "<eot></s><end>"), turn("assistant", "</s> <end> <eot> c")},
          {turn("user", "1 + 2?"), thoughtful, turn("user", "Again?"), calling, turn("user", "3"),
           turn("assistant", "3")}};
}

struct Learned {
  std::string text, learned;
};

Learned learned_of(const std::string& source, const ChatJson& messages) {
  const auto tokenizer = open_tokenizer("byte");
  TextRules rules = tokenizer->rules();
  rules.chat_template = source;
  tokenizer->set_rules(rules);
  const ChatPrompt prompt =
      ChatFormat(*tokenizer, "own").encode_to_learn({.messages = messages, .add_generation_prompt = false});
  std::vector<Token> learned;
  for (std::size_t i = 0; i < prompt.tokens.size(); ++i) {
    if (prompt.by_assistant[i]) learned.push_back(prompt.tokens[i]);
  }
  return {tokenizer->decode(prompt.tokens), tokenizer->decode(learned)};
}

TEST(LearnedReplies, AreThoseOfMarksAlsoWithoutMarks) {
  for (const Style& style : styles()) {
    for (const ChatJson& messages : conversations()) {
      SCOPED_TRACE(style.name + (" " + messages.dump()));
      const Learned marked = learned_of(style.source, messages);
      const Learned plain = learned_of(without_marks(style.source), messages);
      EXPECT_EQ(plain.text, marked.text);
      EXPECT_EQ(plain.learned, marked.learned);
      EXPECT_FALSE(marked.learned.empty());
      EXPECT_LT(marked.learned.size(), marked.text.size());
    }
  }
}

/// DeepSeek's templates put the arguments of calls into the text as they are.
TEST(LearnedReplies, MayHoldCallsWhoseArgumentsAreText) {
  auto tokenizer = open_tokenizer("byte");
  TextRules rules;
  rules.chat_template =
      "{% for m in messages %}{{ '<' + m.role + '>' }}{% for c in m.tool_calls or [] %}{{ c.function.name + "
      "'```json\\n' + c.function.arguments + '```' }}{% endfor %}{{ m.content or '' }}{% endfor %}";
  tokenizer->set_rules(rules);
  const ChatFormat format(*tokenizer, "own");
  const auto text_of = [&](const std::string& arguments) {
    const std::string record =
        R"({"messages": [{"role": "user", "content": "a"}, {"role": "assistant", "content": null, "tool_calls":
            [{"type": "function", "function": {"name": "f", "arguments": )" +
        arguments + R"(}}]}, {"role": "tool", "content": "o"}, {"role": "assistant", "content": "c"}]})";
    return tokenizer->decode(format.encode_to_learn(parse_conversation(record).request).tokens);
  };
  EXPECT_EQ(text_of(R"("{\"x\":1}")"), "<user>a<assistant>f```json\n{\"x\":1}```<tool>o<assistant>c");
  EXPECT_EQ(text_of(R"({"x": "é"})"), "<user>a<assistant>f```json\n{\"x\": \"é\"}```<tool>o<assistant>c");
}

TEST(LearnedReplies, EndWithTheProgramsTurnsToo) {
  const auto tokenizer = open_tokenizer("byte");
  const ChatPrompt prompt =
      ChatFormat(*tokenizer, "plain")
          .encode_to_learn({.messages = conversations()[0], .add_generation_prompt = false});
  std::string learned;
  for (std::size_t i = 0; i < prompt.tokens.size(); ++i) {
    if (prompt.by_assistant[i]) learned += tokenizer->decode({&prompt.tokens[i], 1});
  }
  EXPECT_EQ(learned, "Hello.\n");
}

}  // namespace
}  // namespace vkgpt::text
