#include "text/chat/lexer.hpp"

#include <algorithm>
#include <array>
#include <charconv>
#include <limits>
#include <optional>
#include <system_error>

#include "text/chat/marked_text.hpp"

namespace vkgpt::text::jinja {
namespace {

using Piece = Lexeme::Kind;

bool is_digit(char c) {
  return c >= '0' && c <= '9';
}
bool is_name(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_' ||
         static_cast<unsigned char>(c) >= 0x80;
}

/// Every kind of line end as \n, and without the one at the end.
std::string with_plain_lines(std::string_view source) {
  std::string lines;
  lines.reserve(source.size());
  for (std::size_t i = 0; i < source.size(); ++i) {
    if (source[i] != '\r') {
      lines += source[i];
    } else if (i + 1 == source.size() || source[i + 1] != '\n') {
      lines += '\n';
    }
  }
  if (lines.ends_with('\n')) lines.pop_back();
  return lines;
}

class Lexer {
 public:
  Lexer(std::string_view source, std::string_view where) : source_(with_plain_lines(source)), where_(where) {}

  std::vector<Lexeme> run() {
    while (at_ < source_.size()) {
      const std::size_t tag = find_tag();
      if (tag == std::string::npos) {
        add(Piece::kData, source_.substr(at_));
        break;
      }
      read_tag(tag);
    }
    add(Piece::kEnd, "");
    return std::move(lexemes_);
  }

 private:
  template <typename... Args>
  [[noreturn]] void refuse(std::format_string<Args...> format, Args&&... args) {
    fail_at(where_, line_, format, std::forward<Args>(args)...);
  }

  std::string_view rest() const { return std::string_view(source_).substr(at_); }

  std::size_t find_tag() const {
    for (std::size_t at = source_.find('{', at_); at != source_.npos; at = source_.find('{', at + 1)) {
      if (at + 1 == source_.size()) break;
      const char next = source_[at + 1];
      if (next == '{' || next == '%' || next == '#') return at;
    }
    return std::string::npos;
  }

  void add(Piece kind, std::string text) {
    if (kind == Piece::kData && text.empty()) return;
    lexemes_.push_back({.kind = kind, .text = std::move(text), .integer = 0, .number = 0, .line = line_});
  }

  /// Goes on to `to`, counting lines.
  void advance(std::size_t to) {
    line_ += static_cast<int>(std::count(source_.begin() + static_cast<std::ptrdiff_t>(at_),
                                         source_.begin() + static_cast<std::ptrdiff_t>(to), '\n'));
    if (to > at_) line_starting_ = source_[to - 1] == '\n';
    at_ = to;
  }

  void skip_space() {
    std::size_t to = at_;
    while (to < source_.size()) {
      const Utf8Char c = decode_utf8(source_, to);
      if (c.length == 0 || !is_python_space(c.code_point)) break;
      to += c.length;
    }
    advance(to);
  }

  /// The text up to the tag at `tag`, without the white space that the tag takes.
  std::string data_before(std::size_t tag, char sign, bool variable) const {
    std::string_view data = std::string_view(source_).substr(at_, tag - at_);
    if (sign == '-') return std::string(strip_right({.bytes = data}, nullptr).bytes);
    if (sign == '+' || variable) return std::string(data);
    const std::size_t newline = data.rfind('\n');
    const std::size_t begin = newline == std::string_view::npos ? 0 : newline + 1;
    const std::string_view last = data.substr(begin);
    const bool blank = !last.empty() && strip_left({.bytes = last}, nullptr).bytes.empty();
    if (blank && (begin > 0 || line_starting_)) data = data.substr(0, begin);
    return std::string(data);
  }

  char sign_at(std::size_t at) const {
    return at < source_.size() && (source_[at] == '-' || source_[at] == '+') ? source_[at] : '\0';
  }

  void read_tag(std::size_t tag) {
    const char kind = source_[tag + 1];
    const char sign = sign_at(tag + 2);
    add(Piece::kData, data_before(tag, sign, kind == '{'));
    advance(tag + (sign == '\0' ? 2 : 3));
    if (kind == '#') return skip_comment();
    if (kind == '%' && read_raw()) return;
    add(kind == '%' ? Piece::kBlockBegin : Piece::kVariableBegin, "");
    read_inside(kind == '%');
  }

  void skip_comment() {
    const std::size_t end = source_.find("#}", at_);
    if (end == std::string::npos) refuse("a comment has no end");
    finish_tag(end, end > at_ ? sign_at(end - 1) : '\0', true);
  }

  /// Goes behind the two characters at `end` and the white space that they take.
  void finish_tag(std::size_t end, char sign, bool trims) {
    advance(end + 2);
    if (sign == '-') {
      skip_space();
    } else if (sign != '+' && trims && at_ < source_.size() && source_[at_] == '\n') {
      advance(at_ + 1);
    }
  }

  /// Where `word` stands between white space and the end of its tag, that end, else nothing.
  std::optional<std::size_t> end_of_word_tag(std::size_t at, std::string_view word) const {
    const auto skip = [&] {
      at += rest_from(at).size() - strip_left({.bytes = rest_from(at)}, nullptr).size();
    };
    skip();
    if (!rest_from(at).starts_with(word)) return std::nullopt;
    at += word.size();
    skip();
    if (sign_at(at) != '\0') ++at;
    return rest_from(at).starts_with("%}") ? std::optional(at) : std::nullopt;
  }
  std::string_view rest_from(std::size_t at) const {
    return std::string_view(source_).substr(std::min(at, source_.size()));
  }

  /// `{% raw %}`: what is inside is text.
  bool read_raw() {
    const auto begin = end_of_word_tag(at_, "raw");
    if (!begin) return false;
    finish_tag(*begin, sign_at(*begin - 1) == '-' ? '-' : '\0', false);
    for (std::size_t tag = source_.find("{%", at_); tag != std::string::npos;
         tag = source_.find("{%", tag + 1)) {
      const char sign = sign_at(tag + 2);
      const auto end = end_of_word_tag(tag + (sign == '\0' ? 2 : 3), "endraw");
      if (!end) continue;
      add(Piece::kData, data_before(tag, sign, false));
      finish_tag(*end, sign_at(*end - 1), true);
      return true;
    }
    refuse("raw has no end");
  }

  bool at_tag_end(bool block) {
    const std::string_view end = block ? "%}" : "}}";
    const char sign = sign_at(at_);
    const bool signed_end = sign != '\0' && (block || sign == '-') && rest().substr(1).starts_with(end);
    if (!signed_end && !rest().starts_with(end)) return false;
    add(block ? Piece::kBlockEnd : Piece::kVariableEnd, "");
    finish_tag(at_ + (signed_end ? 1 : 0), signed_end ? sign : '\0', block);
    return true;
  }

  void read_inside(bool block) {
    std::string open;
    while (true) {
      skip_space();
      if (at_ >= source_.size()) refuse("a tag has no end");
      if (open.empty() && at_tag_end(block)) return;
      const char c = source_[at_];
      if (is_name(c)) {
        read_name();
      } else if (is_digit(c)) {
        read_number();
      } else if (c == '"' || c == '\'') {
        read_string(c);
      } else {
        read_operator(open);
      }
    }
  }

  void read_name() {
    std::size_t end = at_;
    while (end < source_.size() && (is_name(source_[end]) || is_digit(source_[end]))) ++end;
    add(Piece::kName, source_.substr(at_, end - at_));
    advance(end);
  }

  /// The end of digits that begin at `at`, single underscores between them.
  std::size_t digits_end(std::size_t at) const {
    while (at < source_.size() && (is_digit(source_[at]) || (source_[at] == '_' && at + 1 < source_.size() &&
                                                             is_digit(source_[at + 1])))) {
      ++at;
    }
    return at;
  }

  void read_number() {
    std::size_t end = digits_end(at_);
    bool is_float = false;
    // After a dot digits are a member: x.0.1.
    const bool member =
        !lexemes_.empty() && lexemes_.back().kind == Piece::kOperator && lexemes_.back().text == ".";
    if (!member && end + 1 < source_.size() && source_[end] == '.' && is_digit(source_[end + 1])) {
      end = digits_end(end + 1);
      is_float = true;
    }
    if (!member && end < source_.size() && (source_[end] == 'e' || source_[end] == 'E')) {
      const std::size_t digits = end + 1 < source_.size() && sign_at(end + 1) != '\0' ? end + 2 : end + 1;
      if (digits < source_.size() && is_digit(source_[digits])) {
        end = digits_end(digits);
        is_float = true;
      }
    }
    std::string digits = source_.substr(at_, end - at_);
    std::erase(digits, '_');
    add(is_float ? Piece::kFloat : Piece::kInteger, digits);
    Lexeme& last_read = lexemes_.back();
    const char* last = digits.data() + digits.size();
    const auto result = is_float ? std::from_chars(digits.data(), last, last_read.number)
                                 : std::from_chars(digits.data(), last, last_read.integer);
    if (is_float && result.ec == std::errc::result_out_of_range) {
      last_read.number = digits.contains('-') ? 0.0 : std::numeric_limits<double>::infinity();
    } else if (result.ec != std::errc()) {
      refuse("the number {} is too large", printable(digits));
    }
    advance(end);
  }

  void read_string(char quote) {
    std::string text;
    std::size_t at = at_ + 1;
    while (at < source_.size() && source_[at] != quote) {
      if (source_[at] == '\\') {
        at = read_escape(at + 1, text);
      } else {
        text += source_[at++];
      }
    }
    if (at >= source_.size()) refuse("a string has no end");
    add(Piece::kString, std::move(text));
    advance(at + 1);
  }

  /// Python's escapes; gives where the text goes on.
  std::size_t read_escape(std::size_t at, std::string& text) {
    if (at >= source_.size()) return at;
    constexpr std::string_view kNames = "ntr\\'\"abfv";
    constexpr std::string_view kMeanings = "\n\t\r\\'\"\a\b\f\v";
    const char c = source_[at];
    if (const std::size_t i = kNames.find(c); i != std::string_view::npos) {
      text += kMeanings[i];
      return at + 1;
    }
    if (c == '\n') return at + 1;
    const std::size_t width = c == 'x' ? 2 : c == 'u' ? 4 : c == 'U' ? 8 : 0;
    const bool octal = c >= '0' && c <= '7';
    if (width == 0 && !octal) {
      text += '\\';
      return at;
    }
    std::size_t end = octal ? at : at + 1;
    const std::size_t limit = std::min(source_.size(), octal ? at + 3 : end + width);
    std::uint32_t code = 0;
    const auto [stop, error] =
        std::from_chars(source_.data() + end, source_.data() + limit, code, octal ? 8 : 16);
    const auto read = static_cast<std::size_t>(stop - (source_.data() + end));
    if (error != std::errc() || (!octal && read != width) || code > 0x10ffff ||
        (code >= 0xd800 && code < 0xe000)) {
      refuse("an escape in a string is not one of Python's");
    }
    append_utf8(text, code);
    end += read;
    return end;
  }

  void read_operator(std::string& open) {
    constexpr std::array<std::string_view, 6> kPairs = {"//", "**", "==", "!=", ">=", "<="};
    constexpr std::string_view kSingles = "+-*/%~<>=.,:|()[]{};";
    std::string_view found;
    for (const std::string_view pair : kPairs) {
      if (rest().starts_with(pair)) found = pair;
    }
    if (found.empty() && kSingles.contains(source_[at_])) found = rest().substr(0, 1);
    if (found.empty()) {
      refuse("'{}' has no meaning here", printable(rest().substr(0, character_length(source_, at_))));
    }
    const char c = found[0];
    if (c == '(' || c == '[' || c == '{') open += c == '(' ? ')' : c == '[' ? ']' : '}';
    if (c == ')' || c == ']' || c == '}') {
      if (open.empty() || open.back() != c) refuse("'{}' closes nothing", c);
      open.pop_back();
    }
    add(Piece::kOperator, std::string(found));
    advance(at_ + found.size());
  }

  const std::string source_;
  const std::string_view where_;
  std::size_t at_ = 0;
  int line_ = 1;
  bool line_starting_ = true;
  std::vector<Lexeme> lexemes_;
};

}  // namespace

std::vector<Lexeme> cut_template(std::string_view source, std::string_view where) {
  if (find_invalid_utf8(source) != std::string_view::npos) fail("{} is not UTF-8", where);
  return Lexer(source, where).run();
}

}  // namespace vkgpt::text::jinja
