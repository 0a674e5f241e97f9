#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>

#include <nlohmann/json.hpp>

#include "vkgpt/train/log_file.hpp"

namespace vkgpt::train {

/// `metrics.csv`: the scalars of `metrics.jsonl` as a table, one row a step. The row of a step is written
/// when a record of another one arrives, or at the end.
class MetricsCsv {
 public:
  /// Writes `path` anew from the lines of `jsonl`, so that a resumed run has no step twice. Throws `IoError`.
  MetricsCsv(const Path& path, const Path& jsonl);
  MetricsCsv(const MetricsCsv&) = delete;
  MetricsCsv& operator=(const MetricsCsv&) = delete;
  ~MetricsCsv();

  /// Takes what `record` (an object with "step") says about the columns.
  void write(const nlohmann::ordered_json& record);

 private:
  /// Adds to the row in hand; gives the finished row, with its line end, where `record` begins another one.
  std::string take(const nlohmann::ordered_json& record);
  LogFile open(const Path& path, const Path& jsonl);
  std::string row_text() const;

  std::optional<std::int64_t> step_;           // of the row in hand
  std::map<std::string, std::string> values_;  // by column
  LogFile file_;
};

}  // namespace vkgpt::train
