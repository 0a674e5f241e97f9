#pragma once

#include <cstdint>

#include <nlohmann/json.hpp>

#include "vkgpt/train/log_file.hpp"

namespace vkgpt::train {

/// `metrics.jsonl` or `kernels.jsonl`: one JSON object a line, in the system's hands as soon as `write`
/// returns. Every object has "step", the number of finished steps that it speaks of.
class MetricsLog {
 public:
  /// Opens `path` for appending after `finished_steps` steps. Lines of later steps, which a resumed run will
  /// write again, and lines that a crash cut off are dropped first, so that no step is there twice. Throws
  /// `IoError`.
  MetricsLog(const Path& path, std::int64_t finished_steps);

  /// Appends `record` as one line. NaN and infinities become null, as JSON has none. A write that fails (a
  /// full disk) is warned of once and training goes on.
  void write(const nlohmann::ordered_json& record);

 private:
  LogFile file_;
};

}  // namespace vkgpt::train
