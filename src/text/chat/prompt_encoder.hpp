#pragma once

#include "vkgpt/text/chat/chat_request.hpp"
#include "vkgpt/text/tokenizer/tokenizer.hpp"

#include "text/chat/marked_text.hpp"

namespace vkgpt::text {

/// The tokens of a conversation as it is written down: what is marked as the request's names no special
/// tokens, and what is marked as the assistant's is told token by token.
ChatPrompt encode_marked(const jinja::Text& text, const Tokenizer& tokenizer);

}  // namespace vkgpt::text
