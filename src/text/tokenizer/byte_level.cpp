#include "vkgpt/text/tokenizer/byte_level.hpp"

#include <array>
#include <cstdint>

#include "vkgpt/core/utf8.hpp"

namespace vkgpt::text {
namespace {

constexpr bool is_printable(unsigned byte) {
  return (byte >= 0x21 && byte <= 0x7e) || (byte >= 0xa1 && byte != 0xad);
}

struct Table {
  std::array<unsigned char, 256> order{};
  std::array<char16_t, 256> character{};    // of a byte
  std::array<std::int16_t, 512> byte_of{};  // of a character; -1 for none
};

constexpr Table kTable = [] {
  Table table;
  table.byte_of.fill(-1);
  std::size_t count = 0;
  unsigned moved = 0;
  for (const bool printable : {true, false}) {
    for (unsigned byte = 0; byte < 256; ++byte) {
      if (is_printable(byte) != printable) continue;
      const unsigned character = printable ? byte : 0x100 + moved++;
      table.order[count++] = static_cast<unsigned char>(byte);
      table.character[byte] = static_cast<char16_t>(character);
      table.byte_of[character] = static_cast<std::int16_t>(byte);
    }
  }
  return table;
}();

}  // namespace

std::span<const unsigned char> byte_level_order() {
  return kTable.order;
}

std::string to_byte_level(std::string_view bytes) {
  std::string out;
  out.reserve(bytes.size() * 2);
  for (const char c : bytes) append_utf8(out, kTable.character[static_cast<unsigned char>(c)]);
  return out;
}

std::optional<std::string> from_byte_level(std::string_view characters) {
  std::string out;
  out.reserve(characters.size());
  for (std::size_t at = 0; at < characters.size();) {
    const Utf8Char c = decode_utf8(characters, at);
    if (c.length == 0 || c.code_point >= kTable.byte_of.size() || kTable.byte_of[c.code_point] < 0)
      return std::nullopt;
    out += static_cast<char>(kTable.byte_of[c.code_point]);
    at += c.length;
  }
  return out;
}

}  // namespace vkgpt::text
