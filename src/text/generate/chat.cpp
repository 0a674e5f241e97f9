#include "vkgpt/text/generate/chat.hpp"

#include <array>
#include <optional>
#include <utility>

#include "vkgpt/core/error.hpp"
#include "vkgpt/core/utf8.hpp"

namespace vkgpt::text {
namespace {

struct NamedTemplate {
  std::string_view name;
  std::string_view marker;  // a special token that only models of this kind have
  ChatTemplate chat;
};

const std::array<NamedTemplate, 3>& known_templates() {
  static const std::array<NamedTemplate, 3> kTemplates = {
      NamedTemplate{.name = "chatml",
                    .marker = "<|im_start|>",
                    .chat = {.system_prefix = "<|im_start|>system\n",
                             .user_prefix = "<|im_start|>user\n",
                             .reply_prefix = "<|im_start|>assistant\n",
                             .turn_end = "<|im_end|>\n"}},
      NamedTemplate{.name = "llama3",
                    .marker = "<|start_header_id|>",
                    .chat = {.system_prefix = "<|start_header_id|>system<|end_header_id|>\n\n",
                             .user_prefix = "<|start_header_id|>user<|end_header_id|>\n\n",
                             .reply_prefix = "<|start_header_id|>assistant<|end_header_id|>\n\n",
                             .turn_end = "<|eot_id|>"}},
      NamedTemplate{
          .name = "plain",
          .marker = "",
          .chat = {
              .system_prefix = "", .user_prefix = "User: ", .reply_prefix = "Assistant:", .turn_end = "\n"}}};
  return kTemplates;
}

const std::string& prefix_of(ChatMessage::Role role, const ChatTemplate& chat) {
  switch (role) {
    case ChatMessage::Role::kSystem:
      return chat.system_prefix;
    case ChatMessage::Role::kUser:
      return chat.user_prefix;
    case ChatMessage::Role::kReply:
      break;
  }
  return chat.reply_prefix;
}

/// Joins the template's stretches and the words: neighbours of one kind are encoded together, as the text
/// that a model was trained on was.
class PromptEncoder {
 public:
  PromptEncoder(const Tokenizer& tokenizer, bool has_special)
      : tokenizer_(tokenizer), has_special_(has_special) {}

  void add_template(std::string_view text) { add(text, has_special_); }
  void add_words(std::string_view text) { add(text, false); }
  void add_tokens(std::span<const Token> tokens) {
    flush();
    tokens_.insert(tokens_.end(), tokens.begin(), tokens.end());
  }
  std::vector<Token> finish() {
    flush();
    return std::move(tokens_);
  }

 private:
  void add(std::string_view text, bool special) {
    if (special != special_) flush();
    special_ = special;
    pending_ += text;
  }
  void flush() {
    const std::vector<Token> more =
        special_ ? tokenizer_.encode_with_special(pending_) : tokenizer_.encode(pending_);
    tokens_.insert(tokens_.end(), more.begin(), more.end());
    pending_.clear();
  }

  const Tokenizer& tokenizer_;
  bool has_special_;
  bool special_ = false;
  std::string pending_;
  std::vector<Token> tokens_;
};

/// The token that begins a conversation: where the model has a template it says so, else the tokenizer's
/// rules do.
std::vector<Token> conversation_start(const Tokenizer& tokenizer) {
  const TextRules& rules = tokenizer.rules();
  const std::optional<Token> begin = tokenizer.begin_of_text();
  if (rules.chat_template.empty() || !begin) return rules.before;
  const std::string name = tokenizer.decode({&*begin, 1});
  const bool begins = rules.chat_template.contains("bos_token") || rules.chat_template.contains(name);
  return begins ? std::vector{*begin} : std::vector<Token>();
}

}  // namespace

ChatTemplate chat_template(std::string_view name, const Tokenizer& tokenizer) {
  for (const NamedTemplate& known : known_templates()) {
    const bool fits = known.marker.empty() || tokenizer.special_token(known.marker).has_value();
    if (name == "auto" && fits) return known.chat;
    if (name != known.name) continue;
    if (!fits) {
      fail_usage("--template {}: the model's tokenizer has no token {}: choose plain or auto", known.name,
                 known.marker);
    }
    return known.chat;
  }
  fail_usage("unknown chat template '{}': there are auto, chatml, llama3, plain", printable(name));
}

std::vector<Token> chat_prompt(std::span<const ChatMessage> messages, const ChatTemplate& chat,
                               const Tokenizer& tokenizer) {
  const std::string fixed = chat.system_prefix + chat.user_prefix + chat.reply_prefix + chat.turn_end;
  PromptEncoder encoder(tokenizer, tokenizer.encode_with_special(fixed) != tokenizer.encode(fixed));
  encoder.add_tokens(conversation_start(tokenizer));
  for (const ChatMessage& message : messages) {
    encoder.add_template(prefix_of(message.role, chat));
    encoder.add_words(message.text);
    encoder.add_template(chat.turn_end);
  }
  encoder.add_template(chat.reply_prefix);
  return encoder.finish();
}

}  // namespace vkgpt::text
