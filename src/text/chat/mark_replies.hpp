#pragma once

#include <string_view>
#include <vector>

#include "text/chat/marked_text.hpp"

namespace vkgpt::text {

/// The marks of a conversation's text with kByAssistant on its replies, for a template that does not mark
/// them itself. The bytes that come from an assistant's message (kFromReply) tell where a reply is: it begins
/// behind the `generation_prompt` where that stands before them with the template's own text between, else
/// with the first of them; and it ends behind the next `stop` if no other request's text comes before that,
/// else with the last of them. So what is marked is what the model has to say when it is asked for the reply.
std::vector<jinja::Marks> mark_replies(const jinja::Text& text, std::string_view generation_prompt,
                                       std::string_view stop);

}  // namespace vkgpt::text
