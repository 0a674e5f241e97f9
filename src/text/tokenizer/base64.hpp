#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace vkgpt::text {

/// The bytes that `text` stands for in base64 with padding; nothing where it is none, or empty.
std::optional<std::string> decode_base64(std::string_view text);

/// `bytes` in base64 with padding.
std::string encode_base64(std::string_view bytes);

}  // namespace vkgpt::text
