#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

#include "vkgpt/core/file.hpp"

namespace vkgpt::train {

/// Values over steps, in the order of the steps. NaN stands for what was not finite.
struct Series {
  std::vector<double> steps;
  std::vector<double> values;

  bool empty() const { return steps.empty(); }
};

/// The curves of one run, out of its `metrics.jsonl`.
struct RunHistory {
  std::string name;
  Series loss;  // of training steps, nats per token
  Series val_loss;
  Series ema_val_loss;  // of the averaged weights
  Series learning_rate;
  Series grad_norm;
};

/// Reads the log of a run directory, or a log itself. A last line that was cut off is ignored. Throws
/// `Error`, one line that names the file, for a missing log, for a line that is no record and for a log
/// without losses.
RunHistory read_run_history(const Path& path);

/// The same from the text of a log; `where` names it in messages.
RunHistory parse_run_history(std::string_view text, const std::string& where);

/// The same from a table with names of columns in its first line, such as `metrics.csv`. Cells that hold no
/// number are passed over.
RunHistory parse_run_table(std::string_view text, const std::string& where);

/// Averages over neighbours, with weights `smoothing`^distance (0 to 1, exclusive). The window is as wide to
/// the left as to the right, so that a falling curve is not drawn late; only at the end it has one side.
/// Values that are not finite stay so and do not count.
std::vector<double> smooth(const std::vector<double>& values, double smoothing);

/// A smoothing that shows the course of `count` values: a longer curve is averaged over more of them.
double fitting_smoothing(std::size_t count);

}  // namespace vkgpt::train
