#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <nlohmann/json.hpp>

#include "vkgpt/core/file.hpp"

namespace vkgpt::serve {

/// A value of the log over the steps.
struct LogSeries {
  std::vector<double> steps;
  std::vector<float> values;  // NaN where the log has null
};

/// A number for each of many names over a few steps: norms of gradients by tensor, seconds by kernel.
struct LogGrid {
  std::vector<double> steps;
  std::vector<std::pair<std::string, std::vector<float>>>
      rows;  // NaN where the log has none, or none that is finite

  /// One more step: a member of `values` is a number, or an object with a "norm".
  void add(double step, const nlohmann::ordered_json& values);
};

/// The numbers of a flat JSON object, {"step":1,"loss":2.5,"skipped":false}: calls `number` for each, NaN for
/// null. False where the line is something else, or has lists or objects inside.
bool read_flat_record(std::string_view line, const std::function<void(std::string_view key, double)>& number);

/// About `points` of a series in [from, to], in their order: the least and the largest of every stretch.
LogSeries thinned(const LogSeries& series, double from, double to, std::size_t points);

/// Follows `metrics.jsonl` and `kernels.jsonl` of a run, which may grow, be cut by a resumed run, or not
/// exist yet.
class RunLogReader {
 public:
  explicit RunLogReader(Path directory);

  const Path& directory() const { return directory_; }

  /// Reads at most `bytes` of what came since in each, whole lines only. Gives how many were read; 0 where
  /// there is nothing new.
  std::size_t read(std::size_t bytes);

  /// Goes up when what was read before holds no longer: the log is another or shorter.
  std::uint64_t generation() const { return generation_; }
  /// The members that are numbers, and `elapsed_seconds`: the sum of `step_seconds` over all steps up to each
  /// of its records, which stands for the steps since the one before.
  const std::map<std::string, LogSeries, std::less<>>& series() const { return series_; }
  /// The members that are objects: "gradients", "kernels".
  const std::map<std::string, LogGrid>& grids() const { return grids_; }
  /// Goes up with each record of them.
  std::uint64_t grids_version() const { return grids_version_; }

 private:
  /// A file and how far it was read.
  struct Followed {
    const char* name;
    std::uint64_t offset = 0;
    std::uint64_t inode = 0;
  };

  /// Whether what was read of a file holds no longer.
  bool was_replaced(Followed& file) const;
  std::size_t read(Followed& file, std::size_t bytes);
  void restart();
  void take(std::string_view line);
  void add_to_series(std::string_view key, double step, double value);

  Path directory_;
  std::array<Followed, 2> files_ = {Followed{"metrics.jsonl"}, Followed{"kernels.jsonl"}};
  std::uint64_t generation_ = 0;
  double elapsed_seconds_ = 0;
  double elapsed_step_ = 0;  // up to which they are summed
  std::map<std::string, LogSeries, std::less<>> series_;
  std::map<std::string, LogGrid> grids_;
  std::uint64_t grids_version_ = 0;
};

}  // namespace vkgpt::serve
