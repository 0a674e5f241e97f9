#include <array>

#include "vkgpt/core/error.hpp"
#include "vkgpt/core/utf8.hpp"
#include "vkgpt/text/chat/chat_format.hpp"

#include "text/chat/turns_template.hpp"

namespace vkgpt::text {
namespace {

struct NamedTurns {
  std::string_view name;
  std::string_view marker;  // a special token that only models of this kind have
  ChatTurns turns;
};

const std::array<NamedTurns, 3>& known_turns() {
  static const std::array<NamedTurns, 3> kTurns = {
      NamedTurns{.name = "chatml",
                 .marker = "<|im_start|>",
                 .turns = {.system_prefix = "<|im_start|>system\n",
                           .user_prefix = "<|im_start|>user\n",
                           .reply_prefix = "<|im_start|>assistant\n",
                           .turn_end = "<|im_end|>\n"}},
      NamedTurns{.name = "llama3",
                 .marker = "<|start_header_id|>",
                 .turns = {.system_prefix = "<|start_header_id|>system<|end_header_id|>\n\n",
                           .user_prefix = "<|start_header_id|>user<|end_header_id|>\n\n",
                           .reply_prefix = "<|start_header_id|>assistant<|end_header_id|>\n\n",
                           .turn_end = "<|eot_id|>"}},
      NamedTurns{
          .name = "plain",
          .marker = "",
          .turns = {
              .system_prefix = "", .user_prefix = "User: ", .reply_prefix = "Assistant:", .turn_end = "\n"}}};
  return kTurns;
}

/// `text` as a string of the template's language.
std::string as_literal(std::string_view text) {
  std::string out = "'";
  for (const char c : text) {
    if (c == '\'' || c == '\\') out += '\\';
    if (c == '\n' || c == '\r') {
      out += c == '\n' ? "\\n" : "\\r";
    } else {
      out += c;
    }
  }
  return out + "'";
}

}  // namespace

ChatTurns chat_turns(std::string_view name, const Tokenizer& tokenizer) {
  for (const NamedTurns& known : known_turns()) {
    const bool fits = known.marker.empty() || tokenizer.special_token(known.marker).has_value();
    if (name == "auto" && fits) return known.turns;
    if (name != known.name) continue;
    if (!fits) {
      fail_usage("--template {}: the model's tokenizer has no token {}: choose plain or auto", known.name,
                 known.marker);
    }
    return known.turns;
  }
  fail_usage("unknown chat template '{}': there are auto, own, chatml, llama3, plain", printable(name));
}

std::string turns_template(const ChatTurns& turns) {
  return "{%- for message in messages -%}"
         "{%- set words = message.content if message.content is string"
         " else message.content | map(attribute='text') | join -%}"
         "{%- if message.role == 'assistant' -%}{{ " +
         as_literal(turns.reply_prefix) + " }}{%- generation -%}{{ words ~ " + as_literal(turns.turn_end) +
         " }}{%- endgeneration -%}{%- else -%}{{ (" + as_literal(turns.system_prefix) +
         " if message.role in ['system', 'developer'] else " + as_literal(turns.user_prefix) +
         ") ~ words ~ " + as_literal(turns.turn_end) + " }}{%- endif -%}{%- endfor -%}{{ " +
         as_literal(turns.reply_prefix) + " if add_generation_prompt }}";
}

}  // namespace vkgpt::text
