#pragma once

#include <chrono>
#include <string_view>

namespace vkgpt {

/// A progress line at the bottom of the terminal, drawn again in its place; nothing is drawn where stderr is
/// no terminal.
class StatusLine {
 public:
  StatusLine();
  /// For tests: `live` draws the line, `color` colours its bar, `width` is the terminal's columns.
  StatusLine(bool live, bool color, int width) : live_(live), color_(color), width_(width) {}
  StatusLine(const StatusLine&) = delete;
  StatusLine& operator=(const StatusLine&) = delete;
  ~StatusLine() { clear(); }

  /// Whether `show` would draw now: it does ten times a second at most.
  bool due() const;
  /// `share` (0 to 1) as a bar, then `text`, cut to the width of the terminal.
  void show(double share, std::string_view text);
  /// Takes the line away; call it before anything else is written to the terminal.
  void clear();

 private:
  bool live_ = false;
  bool color_ = false;
  int width_ = 80;
  bool drawn_ = false;
  std::chrono::steady_clock::time_point last_{};
};

}  // namespace vkgpt
