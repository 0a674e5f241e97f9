#pragma once

#include <string>

#include "vkgpt/text/chat/chat_request.hpp"

#include "text/chat/heap.hpp"

namespace vkgpt::text::jinja {

/// JSON of a request as a value whose text is marked as the request's. Views `json`. Fails for what is nested
/// too deeply.
Value request_value(const ChatJson& json, Heap& heap);

/// The same of messages: what an assistant's message holds, but its role, is marked as a reply's.
Value request_messages(const ChatJson& messages, Heap& heap);

/// JSON as Python's json.dumps writes it, without its escapes for what is not ASCII.
std::string python_json(const ChatJson& json);

}  // namespace vkgpt::text::jinja
