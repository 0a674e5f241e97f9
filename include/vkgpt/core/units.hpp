#pragma once

#include <cstdint>
#include <string>

namespace vkgpt {

/// "831 B", "12.5 KiB", "32 KiB", "412 MiB".
std::string format_bytes(std::uint64_t bytes);

}  // namespace vkgpt
