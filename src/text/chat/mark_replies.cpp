#include "text/chat/mark_replies.hpp"

#include <algorithm>
#include <cstddef>
#include <string>

namespace vkgpt::text {
namespace {

using jinja::Marks;

bool is_reply(Marks marks) {
  return (marks & jinja::kFromReply) != 0;
}

bool is_template(Marks marks) {
  return (marks & jinja::kFromRequest) == 0;
}

class ReplyMarker {
 public:
  ReplyMarker(const jinja::Text& text, std::string_view generation_prompt, std::string_view stop)
      : text_(text.bytes), generation_prompt_(generation_prompt), stop_(stop), marks_(text.size()) {
    for (std::size_t i = 0; i < marks_.size(); ++i) marks_[i] = text.marks_at(i);
  }

  std::vector<Marks> run() {
    for (std::size_t at = 0; at < text_.size();) {
      if (!is_reply(marks_[at])) {
        ++at;
        continue;
      }
      const std::size_t last = last_of_reply(at);
      const std::size_t begin = begin_of(at), end = end_of(last);
      for (std::size_t i = begin; i < end; ++i) marks_[i] |= jinja::kByAssistant;
      at = std::max(end, last + 1);
    }
    return std::move(marks_);
  }

 private:
  bool own_text(std::size_t begin, std::size_t end) const {
    return std::ranges::all_of(marks_.begin() + static_cast<std::ptrdiff_t>(begin),
                               marks_.begin() + static_cast<std::ptrdiff_t>(end), is_template);
  }

  /// The last byte of the message whose first is at `at`: the template's text may stand between its parts.
  std::size_t last_of_reply(std::size_t at) const {
    std::size_t last = at;
    for (std::size_t i = at; i < text_.size(); ++i) {
      if (is_reply(marks_[i])) {
        last = i;
      } else if (!is_template(marks_[i]) || (!stop_.empty() && text_.substr(i).starts_with(stop_))) {
        break;
      }
    }
    return last;
  }

  std::size_t begin_of(std::size_t first) const {
    if (generation_prompt_.empty() || first < generation_prompt_.size()) return first;
    const std::size_t found = text_.rfind(generation_prompt_, first - generation_prompt_.size());
    if (found == std::string_view::npos) return first;
    const std::size_t behind = found + generation_prompt_.size();
    const bool is_free = own_text(behind, first) && (marks_[behind - 1] & jinja::kByAssistant) == 0;
    return is_free ? behind : first;
  }

  std::size_t end_of(std::size_t last) const {
    if (stop_.empty()) return last + 1;
    const std::size_t found = text_.find(stop_, last + 1);
    if (found == std::string_view::npos || !own_text(last + 1, found + stop_.size())) return last + 1;
    return found + stop_.size();
  }

  std::string_view text_;
  std::string_view generation_prompt_;
  std::string_view stop_;
  std::vector<Marks> marks_;
};

}  // namespace

std::vector<Marks> mark_replies(const jinja::Text& text, std::string_view generation_prompt,
                                std::string_view stop) {
  return ReplyMarker(text, generation_prompt, stop).run();
}

}  // namespace vkgpt::text
