#include "vkgpt/train/progress.hpp"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdio>
#include <cstdlib>
#include <format>
#include <string_view>

#include <sys/ioctl.h>
#include <unistd.h>

#include "vkgpt/core/units.hpp"

namespace vkgpt::train {
namespace {

constexpr std::string_view kEraseLine = "\r\x1b[K";

void write_stderr(std::string_view text) {
  std::fwrite(text.data(), 1, text.size(), stderr);
  std::fflush(stderr);
}

bool is_set(const char* variable) {
  const char* const value = std::getenv(variable);
  return value != nullptr && value[0] != '\0';
}

bool can_draw() {
  const char* const terminal = std::getenv("TERM");
  return isatty(STDERR_FILENO) != 0 && terminal != nullptr && std::string_view(terminal) != "dumb";
}

int terminal_width() {
  winsize size{};
  return ioctl(STDERR_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 0 ? size.ws_col : 80;
}

double share_done(const Progress& progress) {
  if (progress.max_steps <= 0) return 0;
  return std::clamp(static_cast<double>(progress.step) / static_cast<double>(progress.max_steps), 0.0, 1.0);
}

/// "[####......] "
std::string bar(double share, bool color) {
  constexpr int kCells = 12;
  const int full = static_cast<int>(share * kCells);
  const std::string cells(static_cast<std::size_t>(full), '#');
  const std::string rest(static_cast<std::size_t>(kCells - full), '.');
  return color ? std::format("[\x1b[32m{}\x1b[0m{}] ", cells, rest) : std::format("[{}{}] ", cells, rest);
}

constexpr int kBarColumns = 15;

}  // namespace

std::string format_duration(double seconds) {
  if (!std::isfinite(seconds) || seconds < 0 || seconds > 1e12) return "?";
  const auto s = static_cast<std::int64_t>(std::llround(seconds));
  if (s < 60) return std::format("{}s", s);
  if (s < 3600) return std::format("{}m{:02}s", s / 60, s % 60);
  if (s < 86400) return std::format("{}h{:02}m", s / 3600, s / 60 % 60);
  return std::format("{}d{:02}h", s / 86400, s / 3600 % 24);
}

std::string format_count(double count) {
  if (!std::isfinite(count)) return "?";
  if (count < 999.5) return std::format("{:.0f}", count);
  if (count < 999.95e3) return std::format("{:.1f}k", count / 1e3);
  return std::format("{:.1f}M", count / 1e6);
}

std::string format_progress(const Progress& p) {
  const std::string mfu = p.mfu ? std::format("{:.1f}%", 100 * *p.mfu) : "n/a";
  return std::format(
      "step {}/{} ({:.1f}%) | loss {:.4f} | lr {:.2e} | norm {:.2f} | {:.1f} ms | {} tok/s | MFU {} | mem {} "
      "| eta {}",
      p.step, p.max_steps, 100 * share_done(p), p.loss, p.learning_rate, p.grad_norm, 1e3 * p.step_seconds,
      format_count(p.tokens_per_second), mfu, format_bytes(p.memory_bytes), format_duration(p.eta_seconds));
}

ProgressLine::ProgressLine() : ProgressLine(can_draw(), !is_set("NO_COLOR"), terminal_width()) {}

ProgressLine::ProgressLine(bool live, bool color, int width) : live_(live), color_(color), width_(width) {}

ProgressLine::~ProgressLine() {
  clear();
}

void ProgressLine::update(const Progress& progress) {
  if (live_) update(share_done(progress), format_progress(progress));
}

void ProgressLine::update(double share, std::string line) {
  if (!live_) return;
  const auto now = std::chrono::steady_clock::now();
  if (drawn_ && now - last_ < std::chrono::milliseconds(100)) return;
  last_ = now;
  const int room =
      width_ - kBarColumns - 1;  // the last column stays free: some terminals wrap when it is filled
  if (room < 1) return;
  line.resize(std::min(line.size(), static_cast<std::size_t>(room)));
  write_stderr(std::format("{}{}{}", kEraseLine, bar(std::clamp(share, 0.0, 1.0), color_), line));
  drawn_ = true;
}

void ProgressLine::log(const Progress& progress) {
  clear();
  write_stderr(format_progress(progress) + "\n");
}

void ProgressLine::clear() {
  if (drawn_) write_stderr(kEraseLine);
  drawn_ = false;
}

}  // namespace vkgpt::train
