#pragma once

#include <span>
#include <string>

#include "vkgpt/train/run_history.hpp"

#include "cli/plot/canvas.hpp"

namespace vkgpt::cli {

inline constexpr double kChartWidth = 1120;
inline constexpr double kChartHeight = 760;

struct ChartOptions {
  double smoothing = -1;  ///< see `train::smooth`; 0: raw curves only, negative: what fits their length
  std::string title = {};
};

/// Draws loss (raw, smoothed, validation), learning rate and gradient norm of the runs over their steps, on a
/// canvas of kChartWidth x kChartHeight.
void draw_loss_chart(Canvas& canvas, std::span<const train::RunHistory> runs, const ChartOptions& options);

}  // namespace vkgpt::cli
