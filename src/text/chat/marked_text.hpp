#pragma once

#include <cstddef>
#include <cstdint>
#include <stdexcept>
#include <string>
#include <string_view>

namespace vkgpt::text::jinja {

/// Why a template cannot go on; the template's door makes an `Error` of it that says where.
struct Failure : std::runtime_error {
  using std::runtime_error::runtime_error;
};

/// The template itself refuses what it was given: raise_exception().
struct Refusal : Failure {
  using Failure::Failure;
};

/// What is known of a byte of text, bit by bit.
using Marks = std::uint8_t;
inline constexpr Marks kFromRequest = 1;  ///< written by who talks, not by the template
inline constexpr Marks kByAssistant = 2;  ///< inside {% generation %}
inline constexpr Marks kFromReply = 4;    ///< from a message of the assistant's

/// UTF-8 whose bytes carry marks. A view: of a `Heap`, the template or the request.
struct Text {
  std::string_view bytes;
  const Marks* each = nullptr;  ///< a byte's marks; null: all have `all`
  Marks all = 0;

  std::size_t size() const { return bytes.size(); }
  Marks marks_at(std::size_t at) const { return each == nullptr ? all : each[at]; }
  Text part(std::size_t at, std::size_t length = std::string_view::npos) const {
    return {bytes.substr(at, length), each == nullptr ? nullptr : each + at, all};
  }
};

/// White space as Python's str.strip() takes it.
bool is_python_space(char32_t character);
/// The bytes of the character at `at`.
std::size_t character_length(std::string_view text, std::size_t at);
/// How many characters `text` has.
std::int64_t count_characters(std::string_view text);
/// The byte where character `index` of `text` begins, or its end.
std::size_t character_offset(std::string_view text, std::int64_t index);

/// Without characters of `set` (white space where null) at its beginning, its end.
Text strip_left(Text text, const std::string_view* set);
Text strip_right(Text text, const std::string_view* set);

}  // namespace vkgpt::text::jinja
