#include "text/tokenizer/char_class.hpp"

#include <algorithm>
#include <memory>

#include "vkgpt/core/check.hpp"
#include "vkgpt/core/utf8.hpp"

namespace vkgpt::text {

const std::uint8_t* char_class_table() {
  constexpr std::size_t kCodePoints = 0x110000;
  static const std::unique_ptr<const std::uint8_t[]> kTable = [] {
    auto table = std::make_unique<std::uint8_t[]>(kCodePoints);
    std::size_t at = 0;
    for (const std::uint32_t run : char_class_runs()) {
      VKGPT_CHECK(run / 256 <= kCodePoints - at);
      std::fill_n(table.get() + at, run / 256, static_cast<std::uint8_t>(run % 256));
      at += run / 256;
    }
    VKGPT_CHECK(at == kCodePoints);
    return table;
  }();
  return kTable.get();
}

ClassedChar classed_char(std::string_view text, std::size_t at, const std::uint8_t* table) {
  const auto byte = static_cast<unsigned char>(text[at]);
  if (byte < 0x80) return {.bits = table[byte], .length = 1};
  const Utf8Char c = decode_utf8(text, at);
  if (c.length == 0) return {.bits = kOtherChar, .length = 1};
  return {.bits = table[c.code_point], .length = static_cast<std::uint8_t>(c.length)};
}

ClassedChar classed_char_before(std::string_view text, std::size_t at, const std::uint8_t* table) {
  for (std::size_t length = 1; length <= std::min<std::size_t>(4, at); ++length) {
    const auto byte = static_cast<unsigned char>(text[at - length]);
    if ((byte & 0xc0U) == 0x80) continue;
    const ClassedChar c = classed_char(text, at - length, table);
    if (c.length == length) return c;
    break;
  }
  return {.bits = kOtherChar, .length = 1};
}

}  // namespace vkgpt::text
