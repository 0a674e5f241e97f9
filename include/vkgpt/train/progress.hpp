#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "vkgpt/core/status_line.hpp"

namespace vkgpt::train {

/// The contents of the progress line.
struct Progress {
  std::int64_t step = 0;  ///< finished
  std::int64_t max_steps = 0;
  double loss = 0;  ///< nats per token
  double learning_rate = 0;
  double grad_norm = 0;
  double step_seconds = 0;
  double tokens_per_second = 0;
  std::optional<double> mfu;  ///< 0 to 1; nothing where the device's peak is unknown
  std::uint64_t memory_bytes = 0;
  double eta_seconds = 0;
};

/// "step 250/2000 (12.5%) | loss 2.4213 | lr 9.81e-04 | norm 0.83 | 152.3 ms | 53.8k tok/s | MFU n/a | mem
/// 412 MiB | eta 4m26s", on one line.
std::string format_progress(const Progress& progress);

/// "4s", "4m26s", "1h07m", "3d04h"; "?" for what is not finite.
std::string format_duration(double seconds);

/// "831", "53.8k", "1.2M".
std::string format_count(double count);

/// Shows progress on stderr: lines that stay, and on a terminal also a bar in between that is drawn over.
class ProgressLine {
 public:
  ProgressLine() = default;
  /// For tests: see `StatusLine`.
  ProgressLine(bool live, bool color, int width) : line_(live, color, width) {}

  /// Redraws the bar, at most ten times a second; nothing where stderr is not a terminal.
  void update(const Progress& progress);
  /// A line that stays.
  void log(const Progress& progress);
  /// Takes the bar away; call it before anything else is written to the terminal.
  void clear() { line_.clear(); }

 private:
  StatusLine line_;
};

}  // namespace vkgpt::train
