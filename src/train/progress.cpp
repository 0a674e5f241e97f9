#include "vkgpt/train/progress.hpp"

#include <algorithm>
#include <cmath>
#include <cstdint>

#include "vkgpt/core/format.hpp"
#include "vkgpt/core/log.hpp"
#include "vkgpt/core/units.hpp"

namespace vkgpt::train {
namespace {

double share_done(const Progress& progress) {
  if (progress.max_steps <= 0) return 0;
  return std::clamp(static_cast<double>(progress.step) / static_cast<double>(progress.max_steps), 0.0, 1.0);
}

}  // namespace

std::string format_duration(double seconds) {
  if (!std::isfinite(seconds) || seconds < 0 || seconds > 1e12) return "?";
  const auto s = static_cast<std::int64_t>(std::llround(seconds));
  if (s < 60) return vkgpt::format("{}s", s);
  if (s < 3600) return vkgpt::format("{}m{:02}s", s / 60, s % 60);
  if (s < 86400) return vkgpt::format("{}h{:02}m", s / 3600, s / 60 % 60);
  return vkgpt::format("{}d{:02}h", s / 86400, s / 3600 % 24);
}

std::string format_count(double count) {
  if (!std::isfinite(count)) return "?";
  if (count < 999.5) return vkgpt::format("{:.0f}", count);
  if (count < 999.95e3) return vkgpt::format("{:.1f}k", count / 1e3);
  return vkgpt::format("{:.1f}M", count / 1e6);
}

std::string format_progress(const Progress& p) {
  const std::string mfu = p.mfu ? vkgpt::format("{:.1f}%", 100 * *p.mfu) : "n/a";
  return vkgpt::format(
      "step {}/{} ({:.1f}%) | loss {:.4f} | lr {:.2e} | norm {:.2f} | {:.1f} ms | {} tok/s | MFU {} | mem {} "
      "| eta {}",
      p.step, p.max_steps, 100 * share_done(p), p.loss, p.learning_rate, p.grad_norm, 1e3 * p.step_seconds,
      format_count(p.tokens_per_second), mfu, format_bytes(p.memory_bytes), format_duration(p.eta_seconds));
}

namespace {

/// What matters most comes first: a terminal of 80 columns shows the percentage, loss, speed and time left.
std::string format_live(const Progress& p) {
  return vkgpt::format(
      "{:.1f}% | loss {:.4f} | {} tok/s | eta {} | step {}/{} | {:.1f} ms | lr {:.2e} | norm {:.2f} | mem {}",
      100 * share_done(p), p.loss, format_count(p.tokens_per_second), format_duration(p.eta_seconds), p.step,
      p.max_steps, 1e3 * p.step_seconds, p.learning_rate, p.grad_norm, format_bytes(p.memory_bytes));
}

}  // namespace

void ProgressLine::update(const Progress& progress) {
  if (line_.due()) line_.show(share_done(progress), format_live(progress));
}

void ProgressLine::log(const Progress& progress) {
  line_.clear();
  log_info("{}", format_progress(progress));
}

}  // namespace vkgpt::train
