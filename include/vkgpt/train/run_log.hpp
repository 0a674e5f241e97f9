#pragma once

#include <cstdint>
#include <string_view>

#include <nlohmann/json.hpp>

#include "vkgpt/train/metrics.hpp"
#include "vkgpt/train/metrics_csv.hpp"
#include "vkgpt/train/tensorboard.hpp"

namespace vkgpt::train {

/// The logs of a run directory: `metrics.jsonl`, which is the truth, and the same as `metrics.csv` and as
/// TensorBoard events; and `kernels.jsonl`, the times of eager passes, which differ from run to run.
class RunLog {
 public:
  /// Opens them after `finished_steps` steps; what they say of later ones is dropped. Throws `IoError`.
  RunLog(const Path& directory, std::int64_t finished_steps)
      : jsonl_(directory / "metrics.jsonl", finished_steps),
        times_(directory / "kernels.jsonl", finished_steps),
        csv_(directory / "metrics.csv", directory / "metrics.jsonl"),
        tensorboard_(directory, finished_steps) {}

  /// Writes one record; it has "step", the number of finished steps that it speaks of.
  void write(const nlohmann::ordered_json& record) {
    jsonl_.write(record);
    csv_.write(record);
    tensorboard_.write(record);
  }

  /// Writes the seconds of each kernel in an eager pass: "step" and "kernels".
  void write_times(const nlohmann::ordered_json& record) { times_.write(record); }

  /// A text that was drawn, for TensorBoard; the others have it in a file.
  void sample(std::int64_t step, std::string_view text) { tensorboard_.sample(step, text); }

 private:
  MetricsLog jsonl_;
  MetricsLog times_;
  MetricsCsv csv_;
  TensorBoardLog tensorboard_;
};

}  // namespace vkgpt::train
