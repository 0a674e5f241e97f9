#include "vkgpt/core/utf8.hpp"

#include <algorithm>

#include "vkgpt/core/format.hpp"

namespace vkgpt {
namespace {

unsigned byte_at(std::string_view text, std::size_t at) {
  return static_cast<unsigned char>(text[at]);
}

/// Bytes that a lead byte announces; 0 for a byte that cannot lead.
std::size_t announced_length(unsigned lead) {
  if (lead < 0x80) return 1;
  if (lead >= 0xc2 && lead <= 0xdf) return 2;
  if (lead >= 0xe0 && lead <= 0xef) return 3;
  if (lead >= 0xf0 && lead <= 0xf4) return 4;
  return 0;
}

/// Whether `second` may follow `lead`: it rejects overlong forms, surrogates and values above
/// U+10FFFF.
bool second_is_valid(unsigned lead, unsigned second) {
  unsigned low = 0x80;
  unsigned high = 0xbf;
  if (lead == 0xe0) low = 0xa0;
  if (lead == 0xed) high = 0x9f;
  if (lead == 0xf0) low = 0x90;
  if (lead == 0xf4) high = 0x8f;
  return second >= low && second <= high;
}

/// The bytes from `at` on that form a valid beginning of a character.
std::size_t valid_beginning(std::string_view text, std::size_t at) {
  const unsigned lead = byte_at(text, at);
  const std::size_t announced = announced_length(lead);
  std::size_t length = announced == 0 ? 0 : 1;
  while (length < announced && at + length < text.size()) {
    const unsigned next = byte_at(text, at + length);
    if (length == 1 ? !second_is_valid(lead, next) : (next & 0xc0U) != 0x80) break;
    ++length;
  }
  return length;
}

}  // namespace

Utf8Char decode_utf8(std::string_view text, std::size_t at) {
  if (at >= text.size()) return {};
  const unsigned lead = byte_at(text, at);
  const std::size_t length = announced_length(lead);
  if (length == 0 || valid_beginning(text, at) < length) return {};
  if (length == 1) return {lead, 1};
  char32_t code_point = lead & (0x7fU >> length);
  for (std::size_t i = 1; i < length; ++i) code_point = code_point << 6U | (byte_at(text, at + i) & 0x3fU);
  return {code_point, length};
}

void append_utf8(std::string& out, char32_t code_point) {
  const auto tail = [&](unsigned shift) {
    out += static_cast<char>(0x80U | (static_cast<unsigned>(code_point) >> shift & 0x3fU));
  };
  if (code_point < 0x80) {
    out += static_cast<char>(code_point);
  } else if (code_point < 0x800) {
    out += static_cast<char>(0xc0U | code_point >> 6U);
    tail(0);
  } else if (code_point < 0x10000) {
    out += static_cast<char>(0xe0U | code_point >> 12U);
    tail(6);
    tail(0);
  } else {
    out += static_cast<char>(0xf0U | code_point >> 18U);
    tail(12);
    tail(6);
    tail(0);
  }
}

namespace {

/// Characters that move the cursor, or that show the ones around them in another order.
bool is_control(char32_t c) {
  const bool is_c0_or_c1 = c < 0x20 || (c >= 0x7f && c < 0xa0);
  const bool is_line_end = c == 0x2028 || c == 0x2029;
  const bool is_bidirectional = c == 0x61c || c == 0x200e || c == 0x200f || (c >= 0x202a && c <= 0x202e) ||
                                (c >= 0x2066 && c <= 0x2069);
  return is_c0_or_c1 || is_line_end || is_bidirectional;
}

std::string escape(std::string_view text, std::size_t max_chars, std::string_view kept) {
  std::string out;
  std::size_t chars = 0;
  for (std::size_t at = 0; at < text.size(); ++chars) {
    if (chars == max_chars) return out + "...";
    const Utf8Char c = decode_utf8(text, at);
    if (c.length == 0 || (is_control(c.code_point) && !kept.contains(text[at]))) {
      for (std::size_t i = 0; i < std::max<std::size_t>(1, c.length); ++i) {
        out += vkgpt::format("\\x{:02x}", byte_at(text, at + i));
      }
    } else {
      out += text.substr(at, c.length);
    }
    at += std::max<std::size_t>(1, c.length);
  }
  return out;
}

}  // namespace

std::size_t find_invalid_utf8(std::string_view text) {
  for (std::size_t at = 0; at < text.size();) {
    const Utf8Char c = decode_utf8(text, at);
    if (c.length == 0) return at;
    at += c.length;
  }
  return std::string_view::npos;
}

std::size_t complete_utf8_prefix(std::string_view text) {
  for (std::size_t back = 1; back <= std::min<std::size_t>(3, text.size()); ++back) {
    const std::size_t at = text.size() - back;
    const std::size_t announced = announced_length(byte_at(text, at));
    if (announced > back && valid_beginning(text, at) == back) return at;
    if (announced != 0) break;
  }
  return text.size();
}

std::string replace_invalid_utf8(std::string_view text) {
  std::string out;
  out.reserve(text.size());
  for (std::size_t at = 0; at < text.size();) {
    const Utf8Char c = decode_utf8(text, at);
    if (c.length == 0) {
      append_utf8(out, 0xfffd);
      at += std::max<std::size_t>(1, valid_beginning(text, at));
    } else {
      out += text.substr(at, c.length);
      at += c.length;
    }
  }
  return out;
}

std::string printable(std::string_view text, std::size_t max_chars) {
  return escape(text, max_chars, {});
}

std::string printable_lines(std::string_view text) {
  return escape(text, std::string_view::npos, "\n\t");
}

}  // namespace vkgpt
