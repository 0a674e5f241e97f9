#pragma once

#include <string>
#include <string_view>

namespace vkgpt {

/// `text` as one line for a terminal: control and bidirectional characters and invalid bytes escaped. Of a
/// very long one, whose middle is what a user gave, the beginning and the end are kept.
std::string message_line(std::string_view text);

}  // namespace vkgpt
