#include "cli/docs/markdown.hpp"

#include <algorithm>
#include <cctype>
#include <numeric>
#include <vector>

#include "cli/docs/inline_text.hpp"

namespace vkgpt::cli {
namespace {

using Row = std::vector<std::string>;

std::string_view trimmed(std::string_view text) {
  const std::size_t begin = text.find_first_not_of(' ');
  if (begin == text.npos) return {};
  return text.substr(begin, text.find_last_not_of(' ') + 1 - begin);
}

/// "| a | b |": its cells. "\|" is a bar inside a cell.
Row cells_of(std::string_view line) {
  Row cells;
  std::string cell;
  line = trimmed(line).substr(1);
  for (std::size_t i = 0; i < line.size(); ++i) {
    if (line.substr(i, 2) == "\\|") {
      cell += line[++i];
    } else if (line[i] == '|') {
      cells.emplace_back(trimmed(cell));
      cell.clear();
    } else {
      cell += line[i];
    }
  }
  return cells;
}

/// "|---|---|", which stands between the heading and the rows.
bool is_rule(std::string_view line) {
  return line.find_first_not_of("|-: ") == line.npos;
}

/// Columns of what opens a list item with its indentation, "  - " or "12. "; 0 for another line.
std::size_t item_mark(std::string_view line) {
  const std::size_t begin = std::min(line.find_first_not_of(' '), line.size());
  std::size_t end = begin;
  while (end < line.size() && std::isdigit(static_cast<unsigned char>(line[end])) != 0) ++end;
  const std::string_view mark = end == begin ? "-" : ".";
  return line.substr(end, 1) == mark && line.substr(end + 1, 1) == " " ? end + 2 : 0;
}

class PageWriter {
 public:
  explicit PageWriter(const PageStyle& style) : style_(style) {}

  void line(std::string_view line) {
    if (line.starts_with("```")) {
      end_block();
      in_code_ = !in_code_;
    } else if (in_code_) {
      text_.append("  ").append(line).append("\n");
    } else if (line.starts_with('|')) {
      if (rows_.empty()) end_block();
      if (!is_rule(line)) rows_.push_back(cells_of(line));
    } else if (trimmed(line).empty()) {
      end_block();
      text_ += "\n";
    } else if (line.starts_with('#')) {
      end_block();
      line.remove_prefix(line.find_first_not_of('#'));
      text_ += joined(inline_words(line, style_.colored, style_.colored)).text + "\n";
    } else {
      if (item_mark(line) > 0) end_block();
      paragraph_ += (paragraph_.empty() ? "" : " ") + std::string(paragraph_.empty() ? line : trimmed(line));
    }
  }

  std::string finish() {
    end_block();
    return std::move(text_);
  }

 private:
  std::vector<StyledWord> words(std::string_view text, bool bold = false) const {
    return inline_words(text, style_.colored, bold && style_.colored);
  }

  void end_block() {
    if (!paragraph_.empty()) write_paragraph();
    if (!rows_.empty()) write_table();
    paragraph_.clear();
    rows_.clear();
  }

  void write_paragraph() {
    const std::size_t mark = item_mark(paragraph_);
    const std::string_view text = paragraph_;
    text_ += filled(words(text.substr(mark)), text.substr(0, mark), std::string(mark, ' '), style_.width);
  }

  void write_table() {
    std::vector<std::vector<StyledWord>> lines;
    std::vector<std::size_t> widths;
    for (const Row& row : rows_) {
      std::vector<StyledWord>& line = lines.emplace_back();
      for (const std::string& cell : row) {
        line.push_back(joined(words(cell, lines.size() == 1)));
        widths.resize(std::max(widths.size(), line.size()));
        widths[line.size() - 1] = std::max(widths[line.size() - 1], line.back().columns);
      }
    }
    const std::size_t gaps = widths.empty() ? 0 : 2 * (widths.size() - 1);
    if (std::accumulate(widths.begin(), widths.end(), gaps) > style_.width) return write_records();
    for (const std::vector<StyledWord>& line : lines) {
      std::string row;
      for (std::size_t i = 0; i < line.size(); ++i) {
        row += line[i].text;
        if (i + 1 < line.size()) row += std::string(widths[i] - line[i].columns + 2, ' ');
      }
      row.erase(row.find_last_not_of(' ') + 1);
      text_ += row + "\n";
    }
  }

  /// A table that is too wide: a row's cells one below the other, each after its heading.
  void write_records() {
    const Row& heading = rows_.front();
    for (std::size_t i = 1; i < rows_.size(); ++i) {
      if (i > 1) text_ += "\n";
      for (std::size_t k = 0; k < rows_[i].size(); ++k) {
        const std::string& cell = rows_[i][k];
        if (cell.empty()) continue;
        const bool named = k > 0 && k < heading.size() && !heading[k].empty();
        const std::string text = named ? heading[k] + ": " + cell : cell;
        text_ += filled(words(text, k == 0), k == 0 ? "" : "  ", k == 0 ? "" : "    ", style_.width);
      }
    }
  }

  PageStyle style_;
  bool in_code_ = false;
  std::string paragraph_;  // being collected
  std::vector<Row> rows_;  // likewise, the heading first
  std::string text_;
};

}  // namespace

std::string render_markdown(std::string_view page, const PageStyle& style) {
  PageWriter writer(style);
  while (!page.empty()) {
    const std::size_t end = std::min(page.find('\n'), page.size());
    writer.line(page.substr(0, end));
    page.remove_prefix(std::min(page.size(), end + 1));
  }
  return writer.finish();
}

}  // namespace vkgpt::cli
