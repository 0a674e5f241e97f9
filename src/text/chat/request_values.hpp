#pragma once

#include "vkgpt/text/chat/chat_request.hpp"

#include "text/chat/heap.hpp"

namespace vkgpt::text::jinja {

/// JSON of a request as a value whose text is marked as the request's. Views `json`. Fails for what is nested
/// too deeply.
Value request_value(const ChatJson& json, Heap& heap);

}  // namespace vkgpt::text::jinja
