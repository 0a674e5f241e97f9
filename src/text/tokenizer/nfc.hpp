#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace vkgpt::text {

/// The most bytes that are normalized in one piece: utf8proc counts in 32 bits in places.
inline constexpr std::size_t kMaxNormalizedBytes = std::size_t{1} << 30;

/// Whether NFC leaves `text` as it is for certain: nothing in it is at or above U+0300.
bool is_plainly_nfc(std::string_view text);

/// Unicode's canonical composition (NFC) of the valid stretches of `text`; bytes that are not UTF-8 stay.
std::string to_nfc(std::string_view text);

}  // namespace vkgpt::text
