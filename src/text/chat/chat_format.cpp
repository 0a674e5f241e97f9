#include "vkgpt/text/chat/chat_format.hpp"

#include <algorithm>
#include <ctime>
#include <utility>

#include "vkgpt/core/error.hpp"
#include "vkgpt/core/json.hpp"
#include "vkgpt/core/utf8.hpp"

#include "text/chat/evaluator.hpp"
#include "text/chat/mark_replies.hpp"
#include "text/chat/prompt_encoder.hpp"
#include "text/chat/request_values.hpp"
#include "text/chat/turns_template.hpp"

namespace vkgpt::text {

using jinja::Evaluator;
using jinja::Template;
using jinja::Value;

/// Templates that are ready to be run, and what they know of the tokenizer.
struct CompiledChat {
  Template by_default;
  std::optional<Template> with_tools;  ///< where tools are given
  std::vector<std::pair<std::string, std::string>> named_tokens;
  std::vector<Token> before;  ///< put before what the template writes
  bool text_calls = false;    ///< arguments of calls must be strings
  std::int64_t time = 0;      ///< what strftime_now() tells, seconds since 1970; 0: the clock

  const Template& choose(const ChatRequest& request) const {
    return with_tools && !request.tools.is_null() ? *with_tools : by_default;
  }
};

namespace {

constexpr const char* kOwn = "the model's chat template";
constexpr const char* kBuiltIn = "the program's chat template";

std::vector<std::pair<std::string, std::string>> named_tokens_of(const Tokenizer& tokenizer) {
  if (!tokenizer.rules().named_tokens.empty()) return tokenizer.rules().named_tokens;
  std::vector<std::pair<std::string, std::string>> named;
  const auto add = [&](const char* name, std::optional<Token> token) {
    if (token) named.emplace_back(name, tokenizer.decode_more({&*token, 1}));
  };
  add("bos_token", tokenizer.begin_of_text());
  add("eos_token", tokenizer.end_of_text());
  return named;
}

/// The tokens before a conversation in turns of the program's: where the model has a template, that says
/// whether there is one, else the tokenizer's rules do.
std::vector<Token> conversation_start(const Tokenizer& tokenizer) {
  const TextRules& rules = tokenizer.rules();
  const std::optional<Token> begin = tokenizer.begin_of_text();
  if (rules.chat_template.empty() || !begin) return rules.before;
  const std::string name = tokenizer.decode_more({&*begin, 1});
  const bool begins = rules.chat_template.contains("bos_token") || rules.chat_template.contains(name);
  return begins ? std::vector{*begin} : std::vector<Token>();
}

std::unique_ptr<CompiledChat> compile_own(const Tokenizer& tokenizer) {
  const TextRules& rules = tokenizer.rules();
  auto compiled = std::make_unique<CompiledChat>();
  const auto tool_use =
      std::ranges::find(rules.other_chat_templates, "tool_use", &std::pair<std::string, std::string>::first);
  if (tool_use != rules.other_chat_templates.end())
    compiled->with_tools = jinja::parse_template(tool_use->second, kOwn);
  if (rules.chat_template.empty() && !compiled->with_tools)
    fail_usage("--template own: the model has no chat template");
  compiled->by_default = rules.chat_template.empty() ? jinja::parse_template(tool_use->second, kOwn)
                                                     : jinja::parse_template(rules.chat_template, kOwn);
  compiled->named_tokens = named_tokens_of(tokenizer);
  return compiled;
}

std::unique_ptr<CompiledChat> compile_turns(const ChatTurns& turns, const Tokenizer& tokenizer) {
  auto compiled = std::make_unique<CompiledChat>();
  compiled->by_default = jinja::parse_template(turns_template(turns), kBuiltIn);
  compiled->named_tokens = named_tokens_of(tokenizer);
  compiled->before = conversation_start(tokenizer);
  return compiled;
}

std::unique_ptr<CompiledChat> compile(const Tokenizer& tokenizer, std::string_view name) {
  const TextRules& rules = tokenizer.rules();
  const bool has_own = !rules.chat_template.empty() || !rules.other_chat_templates.empty();
  if (name == "own" || (name == "auto" && has_own)) return compile_own(tokenizer);
  return compile_turns(chat_turns(name, tokenizer), tokenizer);
}

/// Runs a template and gives what it writes to `use`, whose views live as long as the run.
template <typename Use>
auto run(const CompiledChat& compiled, const ChatRequest& request, const Use& use) {
  Evaluator evaluator(compiled.choose(request), {}, compiled.time != 0 ? compiled.time : std::time(nullptr));
  try {
    for (const auto& [name, value] : request.variables.items()) {
      evaluator.define(name, jinja::request_value(value, evaluator.heap()));
    }
    // What follows counts before variables of the same names.
    for (const auto& [name, token] : compiled.named_tokens) evaluator.define(name, jinja::text_value(token));
    const bool as_text = compiled.text_calls && !request.text_calls.is_null();
    evaluator.define("messages", jinja::request_messages(as_text ? request.text_calls : request.messages,
                                                         evaluator.heap()));
    evaluator.define("tools", jinja::request_value(request.tools, evaluator.heap()));
    evaluator.define("documents", jinja::request_value(request.documents, evaluator.heap()));
    evaluator.define("add_generation_prompt", request.add_generation_prompt);
  } catch (const jinja::Failure& failure) {
    fail("{}", failure.what());
  }
  return use(evaluator.run());
}

std::vector<ChatPiece> pieces_of_text(const jinja::Text& text) {
  std::vector<ChatPiece> pieces;
  for (std::size_t begin = 0; begin < text.size();) {
    std::size_t end = begin + 1;
    const auto kind = [&](std::size_t at) {
      return text.marks_at(at) & (jinja::kFromRequest | jinja::kByAssistant);
    };
    while (end < text.size() && kind(end) == kind(begin)) ++end;
    pieces.push_back({.text = std::string(text.bytes.substr(begin, end - begin)),
                      .from_template = (text.marks_at(begin) & jinja::kFromRequest) == 0,
                      .by_assistant = (text.marks_at(begin) & jinja::kByAssistant) != 0});
    begin = end;
  }
  return pieces;
}

}  // namespace

ChatJson parse_chat_json(std::string_view text, std::string_view where) {
  parse_json(text, where, 64);
  return ChatJson::parse(text);
}

ChatFormat::ChatFormat(const Tokenizer& tokenizer, std::string_view name, std::int64_t time)
    : tokenizer_(&tokenizer), compiled_(compile(tokenizer, name)) {
  compiled_->time = time;
  check_alphabet();
  find_stops();
  find_generation_prompt();
  find_call_form();
}

ChatFormat::ChatFormat(const Tokenizer& tokenizer, const ChatTurns& turns)
    : tokenizer_(&tokenizer), compiled_(compile_turns(turns, tokenizer)) {
  check_alphabet();
  find_stops();
  find_generation_prompt();
}

ChatFormat::ChatFormat(ChatFormat&&) noexcept = default;
ChatFormat& ChatFormat::operator=(ChatFormat&&) noexcept = default;
ChatFormat::~ChatFormat() = default;

std::vector<ChatPiece> ChatFormat::render(const ChatRequest& request) const {
  return run(*compiled_, request, pieces_of_text);
}

ChatPrompt ChatFormat::encode(const ChatRequest& request) const {
  ChatPrompt prompt =
      run(*compiled_, request, [&](const jinja::Text& text) { return encode_marked(text, *tokenizer_); });
  prompt.tokens.insert(prompt.tokens.begin(), compiled_->before.begin(), compiled_->before.end());
  prompt.by_assistant.insert(prompt.by_assistant.begin(), compiled_->before.size(), false);
  return prompt;
}

ChatPrompt ChatFormat::encode_to_learn(const ChatRequest& request) const {
  if (compiled_->choose(request).marks_replies) return encode(request);
  ChatPrompt prompt = run(*compiled_, request, [&](jinja::Text text) {
    const std::vector<jinja::Marks> marks =
        mark_replies(text, generation_prompt_, stops_.empty() ? std::string_view() : stops_.front());
    text.each = marks.data();
    return encode_marked(text, *tokenizer_);
  });
  prompt.tokens.insert(prompt.tokens.begin(), compiled_->before.begin(), compiled_->before.end());
  prompt.by_assistant.insert(prompt.by_assistant.begin(), compiled_->before.size(), false);
  return prompt;
}

bool ChatFormat::marks_replies() const {
  return compiled_->by_default.marks_replies;
}

/// A tokenizer of characters need not know those that turns are written with.
void ChatFormat::check_alphabet() const {
  const ChatRequest request{
      .messages = {{{"role", "user"}, {"content", ""}}, {{"role", "assistant"}, {"content", ""}}},
      .add_generation_prompt = true};
  std::vector<ChatPiece> pieces;
  try {
    pieces = render(request);
  } catch (const Error&) {
    return;  // a template that wants more than this
  }
  try {
    for (const ChatPiece& piece : pieces) {
      if (piece.from_template) tokenizer_->encode_with_special(piece.text);
    }
  } catch (const Error& error) {
    fail("the chat template does not fit the model's tokenizer: {}", error.what());
  }
}

/// What asking for a reply adds to a conversation.
void ChatFormat::find_generation_prompt() {
  ChatRequest request{.messages = {{{"role", "user"}, {"content", "Hi"}}}, .add_generation_prompt = true};
  const auto written = [&] {
    std::string text;
    for (const ChatPiece& piece : render(request)) text += piece.text;
    return text;
  };
  try {
    const std::string asked = written();
    request.add_generation_prompt = false;
    const std::string plain = written();
    if (asked.starts_with(plain)) generation_prompt_ = asked.substr(plain.size());
  } catch (const Error&) {
    return;  // a template that wants more than this
  }
}

/// Some templates put the arguments of calls into their text as strings, and fail for objects.
void ChatFormat::find_call_form() {
  const auto takes = [&](const ChatJson& arguments) {
    const ChatJson call = {
        {"id", "vkgptcall"}, {"type", "function"}, {"function", {{"name", "f"}, {"arguments", arguments}}}};
    const ChatRequest request{
        .messages = {{{"role", "user"}, {"content", "Hi"}},
                     {{"role", "assistant"}, {"content", nullptr}, {"tool_calls", {call}}}},
        .add_generation_prompt = false};
    try {
      render(request);
      return true;
    } catch (const Error&) {
      return false;
    }
  };
  compiled_->text_calls = !takes({{"x", 1}}) && takes("{\"x\": 1}");
}

/// What stands behind a reply up to the first special token, or all of it, ends replies.
void ChatFormat::find_stops() {
  constexpr std::string_view kReply = "vkgpt-reply";
  ChatRequest request{
      .messages = {{{"role", "user"}, {"content", "Hi"}}, {{"role", "assistant"}, {"content", kReply}}},
      .add_generation_prompt = false};
  std::string tail;
  try {
    for (const ChatPiece& piece : render(request)) tail += piece.text;
  } catch (const Error&) {
    return;  // a template that wants more than this; the tokens that end texts still count
  }
  const std::size_t reply = tail.rfind(kReply);
  if (reply == std::string::npos) return;
  tail.erase(0, reply + kReply.size());
  for (const Token token : tokenizer_->encode_with_special(tail)) {
    const std::string name = tokenizer_->decode_more({&token, 1});
    if (tokenizer_->special_token(name) != token) continue;
    stops_ = {name};
    return;
  }
  // Models often stop before white space at the end.
  const std::size_t last = tail.find_last_not_of(" \n\t\r");
  if (last != std::string::npos) {
    stops_ = {tail.substr(0, last + 1)};
  } else if (!tail.empty()) {
    stops_ = {tail};
  }
}

}  // namespace vkgpt::text
