#include "cli/docs/inline_text.hpp"

#include <algorithm>
#include <utility>

namespace vkgpt::cli {
namespace {

constexpr std::string_view kReset = "\x1b[0m";

class InlineReader {
 public:
  InlineReader(std::string_view text, bool colored, bool bold)
      : text_(text), colored_(colored), bold_(bold) {}

  std::vector<StyledWord> read() {
    while (at_ < text_.size()) {
      if (!take_code_mark() && !take_emphasis() && !take_link()) take_character();
    }
    end_word();
    return std::move(words_);
  }

 private:
  bool take_code_mark() {
    if (text_[at_] != '`' || (!code_ && text_.find('`', at_ + 1) == text_.npos)) return false;
    if (!colored_) append('`');
    code_ = !code_;
    ++at_;
    return true;
  }

  bool take_emphasis() {
    if (code_ || text_[at_] != '*') return false;
    const std::size_t marks = text_.substr(at_, 2) == "**" ? 2 : 1;
    bool& is_on = marks == 2 ? bold_ : italic_;
    const std::size_t next = at_ + marks;
    const bool opens =
        next < text_.size() && text_[next] != ' ' && text_.find(text_.substr(at_, marks), next) != text_.npos;
    if (!is_on && !opens) return false;
    is_on = !is_on;
    at_ = next;
    return true;
  }

  bool take_link() {
    if (code_) return false;
    if (in_link_ && text_.substr(at_, 2) == "](") {
      at_ = std::min(text_.find(')', at_), text_.size() - 1) + 1;
      in_link_ = false;
      return true;
    }
    if (text_[at_] != '[') return false;
    const std::size_t end = text_.find(']', at_);
    in_link_ = end != text_.npos && text_.substr(end, 2) == "](";
    at_ += in_link_ ? 1 : 0;
    return in_link_;
  }

  void take_character() {
    const char c = text_[at_++];
    if (c == ' ') {
      end_word();
    } else {
      append(c);
    }
  }

  void append(char c) {
    std::string wanted;
    if (colored_ && bold_) wanted = "\x1b[1m";
    if (colored_ && italic_) wanted += "\x1b[3m";
    if (colored_ && code_) wanted += "\x1b[36m";
    if (wanted != active_) {
      if (!active_.empty()) word_.text += kReset;
      word_.text += wanted;
      active_ = std::move(wanted);
    }
    word_.text += c;
    word_.columns += columns_of({&c, 1});
  }

  void end_word() {
    if (!active_.empty()) word_.text += kReset;
    active_.clear();
    if (word_.columns > 0) words_.push_back(std::move(word_));
    word_ = {};
  }

  std::string_view text_;
  bool colored_;
  std::size_t at_ = 0;
  bool bold_;
  bool italic_ = false;
  bool code_ = false;
  bool in_link_ = false;
  std::string active_;  // escape sequences that hold at the end of word_
  StyledWord word_;
  std::vector<StyledWord> words_;
};

}  // namespace

std::vector<StyledWord> inline_words(std::string_view markdown, bool colored, bool bold) {
  return InlineReader(markdown, colored, bold).read();
}

std::size_t columns_of(std::string_view text) {
  return static_cast<std::size_t>(
      std::ranges::count_if(text, [](char c) { return (static_cast<unsigned char>(c) & 0xc0U) != 0x80; }));
}

std::string filled(const std::vector<StyledWord>& words, std::string_view first_indent,
                   std::string_view indent, std::size_t width) {
  std::string text(first_indent);
  std::size_t used = columns_of(first_indent);
  bool begins_line = true;
  for (const StyledWord& word : words) {
    if (!begins_line && used + 1 + word.columns > width) {
      text.append("\n").append(indent);
      used = columns_of(indent);
      begins_line = true;
    }
    if (!begins_line) text += ' ';
    text += word.text;
    used += word.columns + (begins_line ? 0 : 1);
    begins_line = false;
  }
  return text + "\n";
}

StyledWord joined(const std::vector<StyledWord>& words) {
  StyledWord line;
  for (const StyledWord& word : words) {
    if (line.columns > 0) {
      line.text += ' ';
      ++line.columns;
    }
    line.text += word.text;
    line.columns += word.columns;
  }
  return line;
}

}  // namespace vkgpt::cli
