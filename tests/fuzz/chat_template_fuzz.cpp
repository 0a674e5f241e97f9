#include "vkgpt/text/chat/chat_format.hpp"

#include "fuzz/fuzz_target.hpp"
#include "text/chat/evaluator.hpp"
#include "text/chat/request_values.hpp"

namespace vkgpt::fuzz {

/// A template, and after a zero byte a conversation.
VKGPT_FUZZ_TARGET(chat_template) {
  const std::size_t cut = input.find('\0');
  text::ChatJson messages = {{{"role", "user"}, {"content", "Hi"}}};
  if (cut != std::string_view::npos) messages = text::parse_chat_json(input.substr(cut + 1), "input");
  const text::jinja::Template parsed = text::jinja::parse_template(input.substr(0, cut), "input");
  text::jinja::Evaluator evaluator(parsed, {.steps = 200'000, .bytes = std::size_t{16} << 20, .depth = 200},
                                   0);
  try {
    evaluator.define("messages", text::jinja::request_value(messages, evaluator.heap()));
  } catch (const text::jinja::Failure&) {
    return;
  }
  evaluator.run();
}

}  // namespace vkgpt::fuzz
