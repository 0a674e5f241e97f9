#pragma once

#include <string>
#include <string_view>

#include "vkgpt/text/chat/chat_request.hpp"

namespace vkgpt::text {

/// JSON as Python's json.dumps may write it, in JSON: NaN and Infinity become null, halves of surrogate pairs
/// that stand alone U+FFFD.
std::string without_python(std::string_view json);

/// `parse_chat_json` that also takes such JSON.
ChatJson parse_python_json(std::string_view text, std::string_view where);

}  // namespace vkgpt::text
