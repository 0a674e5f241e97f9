#include "text/chat/value_text.hpp"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <system_error>

#include <utf8proc.h>

#include "vkgpt/core/format.hpp"
#include "vkgpt/core/utf8.hpp"

namespace vkgpt::text::jinja {
namespace {

void check_depth(int depth) {
  if (depth > kMaxDepth) throw Failure("values are nested too deeply to be written");
}

/// Whether Python's repr() leaves a character as it is.
bool is_printable(char32_t character) {
  if (character < 0x80) return character >= 0x20 && character < 0x7f;
  switch (utf8proc_category(static_cast<utf8proc_int32_t>(character))) {
    case UTF8PROC_CATEGORY_CC:
    case UTF8PROC_CATEGORY_CF:
    case UTF8PROC_CATEGORY_CS:
    case UTF8PROC_CATEGORY_CO:
    case UTF8PROC_CATEGORY_CN:
    case UTF8PROC_CATEGORY_ZL:
    case UTF8PROC_CATEGORY_ZP:
    case UTF8PROC_CATEGORY_ZS:
      return false;
    default:
      return true;
  }
}

std::string repr_escape(char32_t character) {
  if (character == '\n') return "\\n";
  if (character == '\r') return "\\r";
  if (character == '\t') return "\\t";
  const auto code = static_cast<std::uint32_t>(character);
  if (code < 0x100) return vkgpt::format("\\x{:02x}", code);
  return code < 0x10000 ? vkgpt::format("\\u{:04x}", code) : vkgpt::format("\\U{:08x}", code);
}

/// Gives `escape` each character and writes what it says in its place, where it says something.
template <typename Escape>
void append_escaped(const Text& text, TextBuilder& out, const Escape& escape) {
  std::size_t done = 0;
  for (std::size_t at = 0; at < text.size();) {
    const Utf8Char character = decode_utf8(text.bytes, at);
    const std::size_t length = std::max<std::size_t>(1, character.length);
    if (const std::string instead = escape(character.code_point); !instead.empty()) {
      out.append(text.part(done, at - done));
      out.append(instead, text.marks_at(at));
      done = at + length;
    }
    at += length;
  }
  out.append(text.part(done));
}

void append_text_repr(const Text& text, TextBuilder& out) {
  const bool doubled = text.bytes.contains('\'') && !text.bytes.contains('"');
  const char quote = doubled ? '"' : '\'';
  out.append({&quote, 1});
  append_escaped(text, out, [&](char32_t c) -> std::string {
    if (c == '\\' || c == static_cast<unsigned char>(quote)) return {'\\', static_cast<char>(c)};
    return is_printable(c) ? std::string() : repr_escape(c);
  });
  out.append({&quote, 1});
}

void append_scalar(const Value& value, TextBuilder& out) {
  if (is<None>(value)) return out.append("None");
  if (const auto* boolean = get_if<bool>(value)) return out.append(*boolean ? "True" : "False");
  if (const auto* integer = get_if<std::int64_t>(value)) return out.append(vkgpt::format("{}", *integer));
  if (const auto* number = get_if<double>(value)) return out.append(python_number(*number));
  if (is<Undefined>(value)) return out.append("Undefined");
  out.append(vkgpt::format("<{}>", type_name(value)));
}

void append_repr_at(const Value& value, TextBuilder& out, int depth) {
  check_depth(depth);
  if (const auto* text = get_if<Text>(value)) return append_text_repr(*text, out);
  if (const auto* dict = get_if<const Dict*>(value)) {
    out.append("{");
    for (const auto& [key, member] : (*dict)->members) {
      if (&key != &(*dict)->members.front().first) out.append(", ");
      append_repr_at(key, out, depth + 1);
      out.append(": ");
      append_repr_at(member, out, depth + 1);
    }
    return out.append("}");
  }
  const auto* list = get_if<const List*>(value);
  if (list == nullptr) return append_scalar(value, out);
  out.append((*list)->tuple ? "(" : "[");
  for (const Value& item : (*list)->items) {
    if (&item != &(*list)->items.front()) out.append(", ");
    append_repr_at(item, out, depth + 1);
  }
  if ((*list)->tuple && (*list)->items.size() == 1) out.append(",");
  out.append((*list)->tuple ? ")" : "]");
}

class JsonWriter {
 public:
  JsonWriter(const JsonStyle& style, TextBuilder& out) : style_(style), out_(out) {}

  void write(const Value& value, std::int64_t depth) {
    check_depth(static_cast<int>(depth));
    if (const auto* text = get_if<Text>(value)) return write_text(*text);
    if (const auto* dict = get_if<const Dict*>(value)) return write_dict(**dict, depth);
    if (const auto* list = get_if<const List*>(value)) return write_list(**list, depth);
    out_.append(scalar(value));
  }

 private:
  static std::string scalar(const Value& value) {
    if (is<None>(value)) return "null";
    if (const auto* boolean = get_if<bool>(value)) return *boolean ? "true" : "false";
    if (const auto* integer = get_if<std::int64_t>(value)) return vkgpt::format("{}", *integer);
    if (const auto* number = get_if<double>(value)) {
      if (std::isfinite(*number)) return python_number(*number);
      return *number > 0 ? "Infinity" : *number < 0 ? "-Infinity" : "NaN";
    }
    throw Failure(vkgpt::format("tojson: {} cannot be written as JSON", type_name(value)));
  }

  std::string escape(char32_t c) const {
    switch (c) {
      case '"':
        return "\\\"";
      case '\\':
        return "\\\\";
      case '\n':
        return "\\n";
      case '\r':
        return "\\r";
      case '\t':
        return "\\t";
      case '\b':
        return "\\b";
      case '\f':
        return "\\f";
      default:
        break;
    }
    const auto code = static_cast<std::uint32_t>(c);
    if (code >= 0x20 && (code < 0x7f || !style_.ascii || code == 0x7f)) return {};
    if (code < 0x10000) return vkgpt::format("\\u{:04x}", code);
    const std::uint32_t rest = code - 0x10000;
    return vkgpt::format("\\u{:04x}\\u{:04x}", 0xd800 + (rest >> 10U), 0xdc00 + (rest & 0x3ffU));
  }

  void write_text(const Text& text) {
    out_.append("\"");
    append_escaped(text, out_, [&](char32_t c) { return escape(c); });
    out_.append("\"");
  }

  void break_line(std::int64_t depth) {
    if (!style_.indent) return;
    out_.append("\n");
    const std::int64_t width = std::clamp<std::int64_t>(*style_.indent, 0, 1000);
    out_.append(std::string(static_cast<std::size_t>(width * depth), ' '));
  }

  void write_list(const List& list, std::int64_t depth) {
    if (list.items.empty()) return out_.append("[]");
    out_.append("[");
    for (std::size_t i = 0; i < list.items.size(); ++i) {
      if (i > 0) out_.append(style_.item_separator);
      break_line(depth + 1);
      write(list.items[i], depth + 1);
    }
    break_line(depth);
    out_.append("]");
  }

  void write_dict(const Dict& dict, std::int64_t depth) {
    if (dict.members.empty()) return out_.append("{}");
    auto members = dict.members;
    if (style_.sorted) {
      std::ranges::stable_sort(members,
                               [](const auto& a, const auto& b) { return compare(a.first, b.first) < 0; });
    }
    out_.append("{");
    for (std::size_t i = 0; i < members.size(); ++i) {
      if (i > 0) out_.append(style_.item_separator);
      break_line(depth + 1);
      if (const auto* key = get_if<Text>(members[i].first)) {
        write_text(*key);
      } else {
        out_.append("\"" + scalar(members[i].first) + "\"");
      }
      out_.append(style_.key_separator);
      write(members[i].second, depth + 1);
    }
    break_line(depth);
    out_.append("}");
  }

  const JsonStyle& style_;
  TextBuilder& out_;
};

}  // namespace

std::string python_number(double number) {
  if (std::isnan(number)) return "nan";
  if (std::isinf(number)) return number > 0 ? "inf" : "-inf";
  char buffer[32];
  const auto [end, error] =
      std::to_chars(buffer, buffer + sizeof(buffer), number, std::chars_format::scientific);
  const std::string_view shortest(buffer, error == std::errc() ? end : buffer);
  const std::size_t e = shortest.find('e');
  int exponent = 0;
  const std::size_t digits_at = shortest[e + 1] == '+' ? e + 2 : e + 1;
  std::from_chars(shortest.data() + digits_at, shortest.data() + shortest.size(), exponent);
  if (exponent >= -4 && exponent < 16) {
    const int decimals = std::max(
        1, static_cast<int>(
               e > 1 ? shortest.substr(0, e).find('.') == std::string::npos ? 0 : e - shortest.find('.') - 1
                     : 0) -
               exponent);
    return vkgpt::format("{:.{}f}", number, decimals);
  }
  return vkgpt::format("{}e{}{:02}", shortest.substr(0, e), exponent < 0 ? '-' : '+', std::abs(exponent));
}

void append_text(const Value& value, TextBuilder& out) {
  if (const auto* text = get_if<Text>(value)) return out.append(*text);
  if (!is<Undefined>(value)) append_repr_at(value, out, 0);
}

Text to_text(const Value& value, Heap& heap) {
  if (const auto* text = get_if<Text>(value)) return *text;
  TextBuilder out(heap);
  append_text(value, out);
  return out.finish();
}

void append_repr(const Value& value, TextBuilder& out) {
  append_repr_at(value, out, 0);
}

void append_json(const Value& value, const JsonStyle& style, TextBuilder& out) {
  JsonWriter(style, out).write(value, 0);
}

}  // namespace vkgpt::text::jinja
