#include "vkgpt/core/status_line.hpp"

#include <algorithm>
#include <cstddef>
#include <cstdio>
#include <string>

#include <unistd.h>

#include "vkgpt/core/format.hpp"
#include "vkgpt/core/terminal.hpp"

namespace vkgpt {
namespace {

constexpr std::string_view kEraseLine = "\r\x1b[K";
constexpr std::string_view kFieldEnd = " | ";
constexpr int kCells = 12;
constexpr int kBarColumns = kCells + 3;

void write_stderr(std::string_view text) {
  std::fwrite(text.data(), 1, text.size(), stderr);
  std::fflush(stderr);
}

/// "[####......] "
std::string bar(double share, bool color) {
  const auto full = static_cast<std::size_t>(std::clamp(share, 0.0, 1.0) * kCells);
  const std::string cells(full, '#');
  const std::string rest(kCells - full, '.');
  return color ? vkgpt::format("[\x1b[32m{}\x1b[0m{}] ", cells, rest) : vkgpt::format("[{}{}] ", cells, rest);
}

/// The fields of `text` that fit; of the first one, what fits.
std::string_view cut(std::string_view text, int columns) {
  const auto room = static_cast<std::size_t>(columns);
  if (text.size() <= room) return text;
  const std::size_t end = text.substr(0, room + kFieldEnd.size()).rfind(kFieldEnd);
  return text.substr(0, end == std::string_view::npos ? room : end);
}

}  // namespace

StatusLine::StatusLine()
    : StatusLine(is_terminal(STDERR_FILENO), !is_variable_set("NO_COLOR"), terminal_columns(STDERR_FILENO)) {}

bool StatusLine::due() const {
  return live_ && (!drawn_ || std::chrono::steady_clock::now() - last_ >= std::chrono::milliseconds(100));
}

void StatusLine::show(double share, std::string_view text) {
  // The last column stays free: some terminals wrap when it is filled.
  const int room = width_ - kBarColumns - 1;
  if (!due() || room < 1) return;
  last_ = std::chrono::steady_clock::now();
  write_stderr(vkgpt::format("{}{}{}", kEraseLine, bar(share, color_), cut(text, room)));
  drawn_ = true;
}

void StatusLine::clear() {
  if (drawn_) write_stderr(kEraseLine);
  drawn_ = false;
}

}  // namespace vkgpt
