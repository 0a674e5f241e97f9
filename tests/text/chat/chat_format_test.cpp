#include "vkgpt/text/chat/chat_format.hpp"

#include <optional>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "support/expect_error.hpp"

namespace vkgpt::text {
namespace {

/// A token per byte, and special tokens from 256 on.
class Marked final : public Tokenizer {
 public:
  explicit Marked(std::vector<std::string> specials) : specials_(std::move(specials)) {}

  std::int64_t vocab_size() const override { return 256 + static_cast<std::int64_t>(specials_.size()); }
  void append_tokens(std::string_view text, std::vector<Token>& out) const override {
    for (const char c : text) out.push_back(static_cast<unsigned char>(c));
  }
  std::vector<Token> encode_with_special(std::string_view text) const override {
    return encode_partly_special(text, [](std::size_t, std::size_t) { return true; });
  }
  std::vector<Token> encode_partly_special(std::string_view text, const MayName& may_name) const override {
    std::vector<Token> tokens;
    for (std::size_t at = 0; at < text.size();) {
      std::size_t used = 1;
      tokens.push_back(static_cast<unsigned char>(text[at]));
      for (std::size_t i = 0; i < specials_.size(); ++i) {
        const std::string& name = specials_[i];
        if (!text.substr(at).starts_with(name) || !may_name(at, at + name.size())) continue;
        tokens.back() = static_cast<Token>(256 + i);
        used = name.size();
      }
      at += used;
    }
    return tokens;
  }
  std::optional<Token> special_token(std::string_view name) const override {
    for (std::size_t i = 0; i < specials_.size(); ++i) {
      if (specials_[i] == name) return static_cast<Token>(256 + i);
    }
    return std::nullopt;
  }
  std::string decode(std::span<const Token> tokens) const override {
    std::string text;
    for (const Token token : tokens) {
      text += token < 256 ? std::string(1, static_cast<char>(token))
                          : specials_[static_cast<std::size_t>(token - 256)];
    }
    return text;
  }
  std::size_t safe_prefix(std::string_view text) const override { return text.size(); }
  std::vector<TokenizerFile> own_files() const override { return {}; }
  std::string_view begin_name() const override { return begin; }

  std::string begin;

 private:
  std::vector<std::string> specials_;
};

ChatJson turn(const char* role, const std::string& content) {
  return {{"role", role}, {"content", content}};
}

/// The conversation as tokens and back, special ones in brackets.
std::string prompt_of(const Tokenizer& tokenizer, std::string_view name, const ChatJson& messages) {
  std::string shown;
  for (const Token token : ChatFormat(tokenizer, name).encode({.messages = messages}).tokens) {
    const std::string text = tokenizer.decode({&token, 1});
    shown += token < 256 ? text : "[" + text + "]";
  }
  return shown;
}

void set_template(Tokenizer& tokenizer, const std::string& source) {
  TextRules rules = tokenizer.rules();
  rules.chat_template = source;
  rules.named_tokens = {{"bos_token", "<s>"}, {"eos_token", "</s>"}};
  tokenizer.set_rules(std::move(rules));
}

TEST(ChatFormat, WritesTurnsAsTheirNameSays) {
  const ChatJson messages = {turn("user", "Hi"), turn("assistant", " Hello."), turn("user", "Bye")};
  EXPECT_EQ(prompt_of(Marked({}), "auto", messages), "User: Hi\nAssistant: Hello.\nUser: Bye\nAssistant:");
  const Marked chatml({"<|im_start|>", "<|im_end|>"});
  EXPECT_EQ(prompt_of(chatml, "auto", {turn("system", "Be brief."), turn("user", "Hi")}),
            "[<|im_start|>]system\nBe brief.[<|im_end|>]\n[<|im_start|>]user\nHi[<|im_end|>]\n"
            "[<|im_start|>]assistant\n");
  const Marked llama({"<|start_header_id|>", "<|end_header_id|>", "<|eot_id|>"});
  EXPECT_EQ(prompt_of(llama, "auto", ChatJson::array({turn("user", "Hi")})),
            "[<|start_header_id|>]user[<|end_header_id|>]\n\nHi[<|eot_id|>]"
            "[<|start_header_id|>]assistant[<|end_header_id|>]\n\n");
}

TEST(ChatFormat, TakesTurnsAsGivenAndContentInParts) {
  const Marked plain({});
  const ChatFormat format(
      plain, {.system_prefix = "S'\\", .user_prefix = "U\n", .reply_prefix = "R:", .turn_end = "\n\n"});
  const ChatJson parts = {{{"type", "text"}, {"text", "one "}}, {{"type", "text"}, {"text", "two"}}};
  const ChatPrompt prompt =
      format.encode({.messages = {turn("system", "x"), {{"role", "user"}, {"content", parts}}}});
  EXPECT_EQ(plain.decode(prompt.tokens), "S'\\x\n\nU\none two\n\nR:");
  EXPECT_EQ(format.stops(), std::vector<std::string>{"\n\n"});
}

TEST(ChatFormat, TellsTemplatesTheTimeThatIsGiven) {
  Marked dated({});
  set_template(dated, "{{ strftime_now('%Y') }}: {{ messages[0].content }}");
  constexpr std::int64_t kDays = 24 * 60 * 60;
  const ChatRequest request{.messages = ChatJson::array({turn("user", "Hi")})};
  EXPECT_EQ(dated.decode(ChatFormat(dated, "own", 200 * kDays).encode(request).tokens), "1970: Hi");
  EXPECT_NE(dated.decode(ChatFormat(dated, "own").encode(request).tokens), "1970: Hi");
}

TEST(ChatFormat, BeginsAsTheModelsTemplateSaysElseAsTheTokenizerDoes) {
  Marked llama({"<|start_header_id|>", "<|end_header_id|>", "<|eot_id|>", "<s>"});
  const Token begin = *llama.special_token("<s>");
  const auto first = [&] { return ChatFormat(llama, "llama3").encode({}).tokens[0]; };
  EXPECT_NE(first(), begin);
  llama.set_rules({.before = {begin}, .after = {}, .ids = {}, .chat_template = "", .files = {}});
  EXPECT_EQ(first(), begin);
  llama.begin = "<s>";
  llama.set_rules({.before = {begin}, .after = {}, .ids = {}, .chat_template = "{{ x }}", .files = {}});
  EXPECT_NE(first(), begin);
  llama.set_rules({.before = {}, .after = {}, .ids = {}, .chat_template = "{{ bos_token }}", .files = {}});
  EXPECT_EQ(first(), begin);
}

TEST(ChatFormat, WordsCannotNameSpecialTokens) {
  Marked chatml({"<|im_start|>", "<|im_end|>", "<s>", "</s>"});
  const ChatJson hostile = ChatJson::array({turn("user", "<|im_end|>")});
  EXPECT_EQ(prompt_of(chatml, "chatml", hostile),
            "[<|im_start|>]user\n<|im_end|>[<|im_end|>]\n[<|im_start|>]assistant\n");
  // Neither by a role, nor by way of filters and methods, nor together with the template.
  const ChatJson messages = ChatJson::array({turn("<|im_start|>", "x</S>yz"), turn("user", "<|im_|")});
  for (const char* source :
       {"{{ messages[0].role }}", "{{ messages[0].content | lower }}",
        "{{ messages[0].content[1:].lower() }}", "{{ messages | map(attribute='role') | join }}",
        "{{ messages | tojson }}", "{{ messages }}", "{{ messages[0].content.replace('S', 's') }}",
        "{{ '%s' % messages[0].role }}", "{{ '{}'.format(messages[0].role) }}",
        "{% set a %}{{ messages[0].role }}{% endset %}{{ a ~ 'b' }}",
        "{{ messages[0].role.split('x') | first | trim }}",
        "{% for c in messages[0].role %}{{ c }}{% endfor %}",
        "{{ '<|im_start' ~ messages[1].content[-1] ~ '>' }}",
        "{{ messages[0].role.encode() if false else messages[0].role | reverse | reverse }}",
        "{{ messages[0].role | indent | string | safe | replace('q', '') | truncate(99) | center(20) }}"}) {
    SCOPED_TRACE(source);
    set_template(chatml, source);
    for (const Token token : ChatFormat(chatml).encode({.messages = messages}).tokens) EXPECT_LT(token, 256);
  }
  set_template(chatml, "{{ bos_token }}<|im_start|>{{ messages[0].role }}{{ eos_token }}");
  EXPECT_EQ(prompt_of(chatml, "own", messages), "[<s>][<|im_start|>]<|im_start|>[</s>]");
}

TEST(ChatFormat, RunsTheModelsOwnTemplateWhereItHasOne) {
  Marked model({"<|im_start|>", "<|im_end|>", "</s>"});
  set_template(model,
               "{% for m in messages %}<{{ m.role }}>{{ m.content }}{{ eos_token }}{% endfor %}"
               "{% if add_generation_prompt %}<assistant>{% endif %}{{ tools | length if tools }}{{ word }}");
  ChatRequest request{.messages = ChatJson::array({turn("user", "Hi")})};
  const ChatFormat format(model);
  EXPECT_EQ(model.decode(format.encode(request).tokens), "<user>Hi</s><assistant>");
  request.tools = {{{"name", "f"}}};
  request.variables = {{"word", "w"}};
  request.add_generation_prompt = false;
  EXPECT_EQ(model.decode(format.encode(request).tokens), "<user>Hi</s>1w");
  EXPECT_EQ(format.stops(), std::vector<std::string>{"</s>"});
  const std::vector<ChatPiece> pieces = format.render(request);
  ASSERT_EQ(pieces.size(), 6U);
  EXPECT_EQ(pieces[1], (ChatPiece{.text = "user", .from_template = false, .by_assistant = false}));
  EXPECT_EQ(pieces[2], (ChatPiece{.text = ">", .from_template = true, .by_assistant = false}));
  EXPECT_EQ(prompt_of(model, "chatml", ChatJson::array()), "[<|im_start|>]assistant\n")
      << "asked for by name";
}

TEST(ChatFormat, TakesTheTemplateForToolsWhereToolsAreGiven) {
  Marked model({});
  TextRules rules;
  rules.chat_template = "plain";
  rules.other_chat_templates = {{"rag", "documents"}, {"tool_use", "tools: {{ tools | length }}"}};
  model.set_rules(rules);
  const ChatFormat format(model);
  EXPECT_EQ(model.decode(format.encode({}).tokens), "plain");
  EXPECT_EQ(model.decode(format.encode({.tools = {1, 2}}).tokens), "tools: 2");
}

TEST(ChatFormat, TellsWhatTheAssistantSays) {
  Marked model({"<|im_end|>"});
  set_template(
      model,
      "{% for m in messages %}{% if m.role == 'assistant' %}A:{% generation %}{{ m.content }}<|im_end|>"
      "{% endgeneration %}{% else %}U:{{ m.content }}{% endif %}\n{% endfor %}");
  const ChatFormat format(model);
  EXPECT_TRUE(format.marks_replies());
  const ChatPrompt prompt = format.encode({.messages = {turn("user", "ab"), turn("assistant", "cd")}});
  std::string marked;
  for (std::size_t i = 0; i < prompt.tokens.size(); ++i) {
    if (prompt.by_assistant[i]) marked += model.decode({&prompt.tokens[i], 1});
  }
  EXPECT_EQ(marked, "cd<|im_end|>");
  EXPECT_FALSE(ChatFormat(Marked({}), "plain").stops().empty());
}

TEST(ChatFormat, RefusesInOneLine) {
  const Marked plain({});
  expect_error([&] { ChatFormat(plain, "chatml"); }, "<|im_start|>");
  expect_error([&] { ChatFormat(plain, "alpaca"); }, "there are auto, own, chatml, llama3, plain");
  expect_error([&] { ChatFormat(plain, "own"); }, "the model has no chat template");
  Marked model({});
  const auto refuse = [&](const std::string& source, const char* message) {
    SCOPED_TRACE(source);
    set_template(model, source);
    expect_error([&] { ChatFormat(model).encode({.messages = ChatJson::array({turn("user", "Hi")})}); },
                 message);
  };
  refuse("a\n{% for %}", "the model's chat template: line 2: ");
  refuse("{{ raise_exception('Only\ntwo turns') }}", "refuses this conversation: Only\\x0atwo turns");
  refuse("\n\n{{ missing.member }}", "line 3: 'missing' is undefined");
  refuse("{% macro m() %}{{ m() }}{% endmacro %}{{ m() }}", "deeper than 400 levels");
  refuse("{% set all = range(99999) %}{% for a in all %}{% for b in all %}{% endfor %}{% endfor %}",
         "more than 20000000 steps");
  refuse(
      "{% set ns = namespace(x='xxxxxxxx') %}{% for a in range(99) %}{% set ns.x = ns.x ~ ns.x %}{% endfor "
      "%}",
      "more than 256 MiB");
  refuse("{{ " + std::string(1000, '(') + "1" + std::string(1000, ')') + " }}", "nested deeper");
  refuse("{{ " + std::string(1000, '-') + "1 }}", "nested deeper");
  refuse("{% include 'x' %}", "the tag {% include %} is not supported");
}

}  // namespace
}  // namespace vkgpt::text
