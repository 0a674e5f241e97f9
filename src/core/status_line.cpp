#include "vkgpt/core/status_line.hpp"

#include <algorithm>
#include <cstddef>
#include <cstdio>
#include <cstdlib>
#include <format>
#include <string>

#include <sys/ioctl.h>
#include <unistd.h>

namespace vkgpt {
namespace {

constexpr std::string_view kEraseLine = "\r\x1b[K";
constexpr int kCells = 12;

void write_stderr(std::string_view text) {
  std::fwrite(text.data(), 1, text.size(), stderr);
  std::fflush(stderr);
}

int terminal_width() {
  winsize size{};
  return ioctl(STDERR_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 0 ? size.ws_col : 80;
}

}  // namespace

StatusLine::StatusLine() {
  const char* const terminal = std::getenv("TERM");
  live_ = isatty(STDERR_FILENO) != 0 && terminal != nullptr && std::string_view(terminal) != "dumb";
}

bool StatusLine::due() const {
  return live_ && (!drawn_ || std::chrono::steady_clock::now() - last_ >= std::chrono::milliseconds(100));
}

void StatusLine::show(double share, std::string_view text) {
  if (!due()) return;
  last_ = std::chrono::steady_clock::now();
  const auto full = static_cast<std::size_t>(std::clamp(share, 0.0, 1.0) * kCells);
  std::string line = std::format("[{}{}] {}", std::string(full, '#'), std::string(kCells - full, '.'), text);
  // The last column stays free: some terminals wrap when it is filled.
  line.resize(std::min(line.size(), static_cast<std::size_t>(std::max(1, terminal_width() - 1))));
  write_stderr(std::format("{}{}", kEraseLine, line));
  drawn_ = true;
}

void StatusLine::clear() {
  if (drawn_) write_stderr(kEraseLine);
  drawn_ = false;
}

}  // namespace vkgpt
