#include "vkgpt/train/run_history.hpp"

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <limits>
#include <system_error>
#include <utility>

#include <nlohmann/json.hpp>

#include "vkgpt/core/error.hpp"
#include "vkgpt/core/format.hpp"
#include "vkgpt/core/utf8.hpp"

namespace vkgpt::train {
namespace {

constexpr auto kCurves = std::to_array<std::pair<const char*, Series RunHistory::*>>(
    {{"loss", &RunHistory::loss},
     {"val_loss", &RunHistory::val_loss},
     {"ema_val_loss", &RunHistory::ema_val_loss},
     {"learning_rate", &RunHistory::learning_rate},
     {"grad_norm", &RunHistory::grad_norm}});

void add_record(RunHistory& history, const nlohmann::json& record, const std::string& place) {
  const double step = record["step"].get<double>();
  for (const auto& [key, curve] : kCurves) {
    const auto found = record.find(key);
    if (found == record.end()) continue;
    if (!found->is_number() && !found->is_null()) fail("{}: \"{}\" is not a number", place, key);
    Series& series = history.*curve;
    if (!series.empty() && step <= series.steps.back()) fail("{}: step {} comes out of order", place, step);
    series.steps.push_back(step);
    series.values.push_back(found->is_null() ? std::numeric_limits<double>::quiet_NaN()
                                             : found->get<double>());
  }
}

std::vector<std::string_view> cells_of(std::string_view line) {
  std::vector<std::string_view> cells;
  for (std::size_t begin = 0; begin <= line.size();) {
    const std::size_t comma = std::min(line.find(',', begin), line.size());
    cells.push_back(line.substr(begin, comma - begin));
    begin = comma + 1;
  }
  return cells;
}

/// A row of a table as a record of a log; empty cells are left out.
nlohmann::json record_of(std::span<const std::string_view> names, std::string_view line,
                         const std::string& place) {
  const std::vector<std::string_view> cells = cells_of(line);
  if (cells.size() != names.size()) fail("{}: {} cells under {} names", place, cells.size(), names.size());
  nlohmann::json record = nlohmann::json::object();
  for (std::size_t i = 0; i < cells.size(); ++i) {
    if (cells[i].empty()) continue;
    double value = 0;
    const auto [end, error] = std::from_chars(cells[i].data(), cells[i].data() + cells[i].size(), value);
    if (error == std::errc() && end == cells[i].data() + cells[i].size())
      record[std::string(names[i])] = value;
  }
  if (!record.contains("step")) fail("{}: no number under \"step\"", place);
  return record;
}

void require_losses(const RunHistory& history, const std::string& where) {
  if (history.loss.empty() && history.val_loss.empty()) fail("{} has no losses yet: nothing to draw", where);
}

}  // namespace

RunHistory parse_run_table(std::string_view text, const std::string& where) {
  RunHistory history;
  std::vector<std::string_view> names;
  for (std::size_t line_number = 1; !text.empty(); ++line_number) {
    const std::size_t end = text.find('\n');
    if (end == std::string_view::npos) break;  // cut off while it was written
    std::string_view line = text.substr(0, end);
    if (line.ends_with('\r')) line.remove_suffix(1);
    text.remove_prefix(end + 1);
    const std::string place = vkgpt::format("{}, line {}", where, line_number);
    if (line_number == 1) {
      names = cells_of(line);
      if (!std::ranges::contains(names, "step"))
        fail("{}: expected names of columns, \"step\" among them", place);
    } else if (!line.empty()) {
      add_record(history, record_of(names, line, place), place);
    }
  }
  require_losses(history, where);
  return history;
}

RunHistory parse_run_history(std::string_view text, const std::string& where) {
  RunHistory history;
  std::size_t line_number = 0;
  while (!text.empty()) {
    const std::size_t end = text.find('\n');
    ++line_number;
    const std::string place = vkgpt::format("{}, line {}", where, line_number);
    const auto record = nlohmann::json::parse(text.substr(0, end), nullptr, /*allow_exceptions=*/false);
    const bool is_record =
        record.is_object() && record.contains("step") && record["step"].is_number_integer();
    if (!is_record && end == std::string_view::npos) break;
    if (!is_record) fail("{}: expected a JSON object with \"step\", as vkgpt train writes them", place);
    add_record(history, record, place);
    text.remove_prefix(end == std::string_view::npos ? text.size() : end + 1);
  }
  require_losses(history, where);
  return history;
}

RunHistory read_run_history(const Path& path) {
  std::error_code ignored;
  const bool is_directory = std::filesystem::is_directory(path, ignored);
  const Path log = is_directory ? path / "metrics.jsonl" : path;
  const std::string where = printable(log.string(), 200);
  if (!std::filesystem::exists(log, ignored)) {
    fail("{} does not exist: name a run directory of vkgpt train, its metrics.jsonl or metrics.csv", where);
  }
  const std::string text = read_file(log, std::numeric_limits<std::uint64_t>::max());
  RunHistory history =
      log.extension() == ".csv" ? parse_run_table(text, where) : parse_run_history(text, where);
  const Path directory = std::filesystem::absolute(is_directory ? path : log.parent_path(), ignored);
  const Path plain = directory.lexically_normal();
  history.name = (plain.has_filename() ? plain : plain.parent_path()).filename().string();
  return history;
}

std::vector<double> smooth(const std::vector<double>& values, double smoothing) {
  constexpr double kLeastWeight = 0.01;
  constexpr double kMostNeighbours = 1000;
  const double reach =
      smoothing > 0 ? std::min(kMostNeighbours, std::log(kLeastWeight) / std::log(smoothing)) : 0;
  const auto radius = static_cast<std::size_t>(reach);
  std::vector<double> smoothed = values;
  for (std::size_t i = 0; i < values.size(); ++i) {
    if (!std::isfinite(values[i])) continue;
    double sum = values[i];
    double weights = 1;
    const auto add_side = [&](std::size_t count, auto neighbour) {
      double weight = 1;
      for (std::size_t k = 1; k <= count; ++k) {
        weight *= smoothing;
        const double value = values[neighbour(k)];
        if (!std::isfinite(value)) continue;
        sum += weight * value;
        weights += weight;
      }
    };
    const std::size_t before = std::min(radius, i);
    add_side(before, [&](std::size_t k) { return i - k; });
    add_side(std::min(before, values.size() - 1 - i), [&](std::size_t k) { return i + k; });
    smoothed[i] = sum / weights;
  }
  return smoothed;
}

double fitting_smoothing(std::size_t count) {
  constexpr double kWindows = 100;  // a curve is as smooth as if it were this many averages
  return 1 - 1 / (1 + static_cast<double>(count) / kWindows);
}

}  // namespace vkgpt::train
