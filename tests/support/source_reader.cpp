#include "support/source_reader.hpp"

#include <algorithm>
#include <cctype>
#include <cstddef>
#include <sstream>

namespace vkgpt::test {
namespace {

/// Reads a file from front to back and copies what is code.
class Stripper {
 public:
  explicit Stripper(std::string_view source) : source_(source) {}

  std::string run() {
    while (at_ < source_.size()) step();
    return std::move(code_);
  }

 private:
  bool starts(std::string_view text) const { return source_.substr(at_).starts_with(text); }

  void step() {
    if (starts("//")) return skip_to("\n", 0);
    if (starts("/*")) return skip_to("*/", 2);
    if (starts("R\"") && !after_word()) return raw_string();
    const char c = source_[at_];
    if (c == '"' || (c == '\'' && !after_word())) return literal(c);
    if (c == '#' && line_is_empty()) return directive();
    code_ += c;
    ++at_;
  }

  /// Whether the character before belongs to a word or a number (1'000).
  bool after_word() const {
    return !code_.empty() && (std::isalnum(static_cast<unsigned char>(code_.back())) || code_.back() == '_');
  }

  bool line_is_empty() const {
    const std::size_t begin = code_.rfind('\n') + 1;  // npos + 1 is 0
    return code_.find_first_not_of(' ', begin) == std::string::npos;
  }

  /// Goes behind the next `end`, or in front of it with `taken` 0, and keeps the ends of lines.
  void skip_to(std::string_view end, std::size_t taken) {
    const std::size_t found = source_.find(end, at_);
    const std::size_t stop = found == std::string_view::npos ? source_.size() : found + taken;
    for (; at_ < stop; ++at_) {
      if (source_[at_] == '\n') code_ += '\n';
    }
  }

  void raw_string() {
    const std::size_t open = source_.find('(', at_);
    std::string end = ")";
    end += source_.substr(at_ + 2, open - at_ - 2);
    end += '"';
    code_ += "\"\"";
    skip_to(end, end.size());
  }

  void literal(char quote) {
    for (++at_; at_ < source_.size() && source_[at_] != quote; ++at_) {
      if (source_[at_] == '\\') ++at_;
    }
    ++at_;
    code_.append(2, quote);
  }

  void directive() {
    while (at_ < source_.size() && source_[at_] != '\n') {
      if (starts("\\\n")) code_ += '\n', ++at_;
      ++at_;
    }
  }

  std::string_view source_;
  std::size_t at_ = 0;
  std::string code_;
};

/// Whether a brace after `head` opens a scope whose own functions count: a namespace, class or the like.
bool opens_scope(std::string_view head) {
  std::istringstream words{std::string(head)};
  for (std::string word; words >> word;) {
    if (word == "namespace" || word == "extern") return true;
    if (word == "class" || word == "struct" || word == "union")
      return head.find('(') == std::string_view::npos;
  }
  return false;
}

/// `head` without the parameters of a template, whose defaults look like assignments.
std::string_view without_template(std::string_view head) {
  const std::size_t begin = head.find("template <");
  if (begin == std::string_view::npos) return head;
  int depth = 0;
  for (std::size_t i = head.find('<', begin); i < head.size(); ++i) {
    if (head[i] == '<') ++depth;
    if (head[i] == '>' && --depth == 0) return head.substr(i + 1);
  }
  return head;
}

/// Whether a brace after `head` opens the body of a function and not a list of values.
bool opens_body(std::string_view head) {
  head = without_template(head);
  if (head.find_first_not_of(" \n") == std::string_view::npos) return false;
  if (head.find("enum ") != std::string_view::npos) return false;
  const std::size_t assignment = head.find(" = ");
  const std::size_t call = head.find('(');
  if (assignment < call) return head.find('[', assignment) != std::string_view::npos;
  return call != std::string_view::npos;
}

/// Walks the braces of stripped code.
class BraceReader {
 public:
  explicit BraceReader(std::string code) : code_(std::move(code)) {}

  std::vector<Function> run() {
    for (at_ = 0; at_ < code_.size(); ++at_) step(code_[at_]);
    return std::move(found_);
  }

 private:
  void step(char c) {
    if (c == '\n') ++line_;
    if (c == '(') ++parentheses_;
    if (c == ')') --parentheses_;
    if (c == '{' && parentheses_ == 0) return open();
    if (c == '}' && parentheses_ == 0) {
      head_.clear();
      return;
    }
    if (c == ';' && parentheses_ == 0) {
      head_.clear();
    } else {
      head_ += c;
    }
  }

  void open() {
    if (opens_scope(head_)) {
      head_.clear();
      return;
    }
    const int first = line_;
    skip_block();
    const std::size_t next = code_.find_first_not_of(" \n", at_ + 1);
    // A member that a constructor initializes with braces stands before the body.
    const bool goes_on = next != std::string::npos && (code_[next] == ',' || code_[next] == '{');
    if (!goes_on) {
      if (opens_body(head_)) add(first);
      head_.clear();
    }
  }

  void add(int first) {
    const std::size_t end = head_.find_last_not_of(" \n");
    const std::size_t begin = head_.rfind('\n', end) + 1;
    found_.push_back({head_.substr(begin, end + 1 - begin), first, line_ - first + 1});
  }

  /// From an opening brace to the one that closes it.
  void skip_block() {
    for (int depth = 0; at_ < code_.size(); ++at_) {
      if (code_[at_] == '\n') ++line_;
      if (code_[at_] == '{') ++depth;
      if (code_[at_] == '}' && --depth == 0) return;
    }
  }

  std::string code_;
  std::size_t at_ = 0;
  int line_ = 1;
  int parentheses_ = 0;
  std::string head_;  // since the last statement or block
  std::vector<Function> found_;
};

/// Tarjan's algorithm (SIAM J. Comput. 1, 1972).
class CircleFinder {
 public:
  explicit CircleFinder(const Graph& graph) : graph_(graph) {}

  std::vector<std::set<std::string>> run() {
    for (const auto& [node, next] : graph_) {
      if (!number_.contains(node)) visit(node);
    }
    std::ranges::sort(found_);
    return std::move(found_);
  }

 private:
  void visit(const std::string& node) {
    const int number = static_cast<int>(number_.size());
    number_[node] = lowest_[node] = number;
    stack_.push_back(node);
    for (const std::string& next : graph_.at(node)) {
      if (!graph_.contains(next)) continue;
      if (!number_.contains(next)) {
        visit(next);
        lowest_[node] = std::min(lowest_[node], lowest_[next]);
      } else if (std::ranges::contains(stack_, next)) {
        lowest_[node] = std::min(lowest_[node], number_[next]);
      }
    }
    if (lowest_[node] == number) pop(node);
  }

  void pop(const std::string& node) {
    const auto begin = std::ranges::find(stack_, node);
    if (stack_.end() - begin > 1) found_.emplace_back(begin, stack_.end());
    stack_.erase(begin, stack_.end());
  }

  const Graph& graph_;
  std::map<std::string, int> number_;
  std::map<std::string, int> lowest_;
  std::vector<std::string> stack_;
  std::vector<std::set<std::string>> found_;
};

}  // namespace

std::string code_only(std::string_view source) {
  return Stripper(source).run();
}

std::vector<std::string> quoted_includes(std::string_view source) {
  constexpr std::string_view kInclude = "#include \"";
  std::vector<std::string> found;
  std::istringstream lines{std::string(source)};
  for (std::string line; std::getline(lines, line);) {
    if (!line.starts_with(kInclude)) continue;
    const std::string name = line.substr(kInclude.size());
    found.push_back(name.substr(0, name.find('"')));
  }
  return found;
}

std::vector<Function> functions(std::string_view source) {
  return BraceReader(code_only(source)).run();
}

std::vector<std::set<std::string>> circles(const Graph& graph) {
  return CircleFinder(graph).run();
}

}  // namespace vkgpt::test
