#include "vkgpt/text/chat/python_json.hpp"

#include "vkgpt/core/error.hpp"
#include "vkgpt/text/chat/chat_format.hpp"

namespace vkgpt::text {
namespace {

/// Whether the four digits at `at` are those of a surrogate with this first half-byte after the d.
bool is_surrogate(std::string_view line, std::size_t at, std::string_view seconds) {
  return at + 6 <= line.size() && line[at] == '\\' && line[at + 1] == 'u' && (line[at + 2] | 0x20) == 'd' &&
         seconds.find(static_cast<char>(line[at + 3] | 0x20)) != std::string_view::npos;
}

}  // namespace

std::string without_python(std::string_view line) {
  std::string out;
  bool in_string = false;
  for (std::size_t at = 0; at < line.size();) {
    std::size_t length = 1;
    if (in_string && line[at] == '\\') {
      const bool high = is_surrogate(line, at, "89ab");
      const bool low = is_surrogate(line, at, "cdef");
      const bool pair = high && is_surrogate(line, at + 6, "cdef");
      if ((high || low) && !pair) {
        out += "\\ufffd";
        at += 6;
        continue;
      }
      length = pair ? 12 : 2;
    } else if (!in_string) {
      bool replaced = false;
      for (const std::string_view word : {"NaN", "Infinity", "-Infinity"}) {
        if (!line.substr(at).starts_with(word)) continue;
        out += "null";
        at += word.size();
        replaced = true;
        break;
      }
      if (replaced) continue;
    }
    if (line[at] == '"') in_string = !in_string;
    out += line.substr(at, length);
    at += length;
  }
  return out;
}

ChatJson parse_python_json(std::string_view text, std::string_view where) {
  try {
    return parse_chat_json(text, where);
  } catch (const Error&) {
    const std::string plain = without_python(text);
    if (plain == text) throw;
    return parse_chat_json(plain, where);
  }
}

}  // namespace vkgpt::text
