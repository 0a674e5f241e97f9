#include "cli/sweep/sweep_results.hpp"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <limits>
#include <string_view>

#include "vkgpt/core/error.hpp"
#include "vkgpt/core/format.hpp"
#include "vkgpt/core/json.hpp"
#include "vkgpt/train/progress.hpp"

namespace vkgpt::cli {
namespace {

std::string_view state_name(SweepState state) {
  switch (state) {
    case SweepState::kWaiting:
      return "waiting";
    case SweepState::kRunning:
      return "running";
    case SweepState::kInterrupted:
      return "interrupted";
    case SweepState::kFailed:
      return "failed";
    case SweepState::kDone:
      return "done";
  }
  return "";
}

double rank_of(const SweepResult& result) {
  constexpr double kLast = std::numeric_limits<double>::infinity();
  if (result.state != SweepState::kDone) return kLast;
  const double loss = result.val_loss.value_or(result.train_loss.value_or(kLast));
  return std::isfinite(loss) ? loss : std::numeric_limits<double>::max();
}

std::optional<double> optional_number(const Json& record, const char* key, const std::string& where) {
  if (json_member(record, key, where).is_null()) return std::nullopt;
  return json_number(record, key, where);
}

std::string loss_text(const std::optional<double>& loss, const char* missing) {
  return loss ? vkgpt::format("{:.4f}", *loss) : missing;
}

/// The rows of the table, the heading first.
std::vector<std::vector<std::string>> cells(std::span<const SweepResult> results, bool for_people) {
  std::vector<std::vector<std::string>> rows(1);
  rows[0] = {"rank",
             "val_loss",
             "train_loss",
             "steps",
             for_people ? "tok/s" : "tokens_per_second",
             for_people ? "time" : "seconds",
             "state"};
  if (!results.empty()) {
    for (const auto& [key, value] : results[0].run.values) rows[0].push_back(key);
  }
  if (!for_people) rows[0].emplace_back("name");
  const char* const missing = for_people ? "-" : "";
  for (std::size_t i = 0; i < results.size(); ++i) {
    const SweepResult& result = results[i];
    const bool has_run = result.steps > 0;
    std::vector<std::string> row = {result.state == SweepState::kDone ? std::to_string(i + 1) : missing,
                                    loss_text(result.val_loss, missing),
                                    loss_text(result.train_loss, missing),
                                    has_run ? std::to_string(result.steps) : missing,
                                    !has_run     ? missing
                                    : for_people ? train::format_count(result.tokens_per_second)
                                                 : vkgpt::format("{:.1f}", result.tokens_per_second),
                                    !has_run     ? missing
                                    : for_people ? train::format_duration(result.seconds)
                                                 : vkgpt::format("{:.1f}", result.seconds),
                                    std::string(state_name(result.state))};
    for (const auto& [key, value] : result.run.values) row.push_back(value);
    if (!for_people) row.push_back(result.run.name);
    rows.push_back(std::move(row));
  }
  return rows;
}

std::string csv_cell(const std::string& text) {
  if (text.find_first_of(",\"\n") == std::string::npos) return text;
  std::string quoted = "\"";
  for (const char c : text) quoted += c == '"' ? std::string("\"\"") : std::string(1, c);
  return quoted + "\"";
}

}  // namespace

void SweepResult::read_summary(std::string_view json, const std::string& where) {
  const Json record = parse_json(json, where);
  const std::optional<double> best = optional_number(record, "best_val_loss", where);
  val_loss = best ? best : optional_number(record, "val_loss", where);
  train_loss = optional_number(record, "train_loss", where);
  steps = static_cast<std::int64_t>(json_unsigned(record, "steps", where, INT64_MAX));
  tokens_per_second = json_number(record, "tokens_per_second", where);
  seconds = json_number(record, "seconds", where);
}

std::vector<SweepResult> ranked(std::span<const SweepResult> results) {
  std::vector<SweepResult> sorted(results.begin(), results.end());
  std::ranges::stable_sort(sorted, {}, rank_of);
  return sorted;
}

std::string sweep_table(std::span<const SweepResult> results) {
  const std::vector<std::vector<std::string>> rows = cells(results, true);
  std::vector<std::size_t> widths(rows[0].size());
  for (const auto& row : rows) {
    for (std::size_t i = 0; i < row.size(); ++i) widths[i] = std::max(widths[i], row[i].size());
  }
  std::string table;
  for (const auto& row : rows) {
    std::string line;
    for (std::size_t i = 0; i < row.size(); ++i) line += vkgpt::format("{:>{}}  ", row[i], widths[i]);
    line.resize(line.size() - 2);
    table += line + "\n";
  }
  return table;
}

std::string sweep_csv(std::span<const SweepResult> results) {
  std::string text;
  for (const auto& row : cells(results, false)) {
    for (std::size_t i = 0; i < row.size(); ++i) text += (i > 0 ? "," : "") + csv_cell(row[i]);
    text += "\n";
  }
  return text;
}

nlohmann::ordered_json sweep_json(std::span<const SweepResult> results) {
  const auto optional = [](const std::optional<double>& value) {
    return value ? nlohmann::ordered_json(*value) : nlohmann::ordered_json(nullptr);
  };
  nlohmann::ordered_json runs = nlohmann::ordered_json::array();
  for (const SweepResult& result : results) {
    nlohmann::ordered_json values = nlohmann::ordered_json::object();
    for (const auto& [key, value] : result.run.values) values[key] = value;
    nlohmann::ordered_json record = {{"name", result.run.name},
                                     {"parameters", values},
                                     {"state", state_name(result.state)},
                                     {"val_loss", optional(result.val_loss)},
                                     {"train_loss", optional(result.train_loss)},
                                     {"steps", result.steps},
                                     {"tokens_per_second", result.tokens_per_second},
                                     {"seconds", result.seconds}};
    if (!result.error.empty()) record["error"] = result.error;
    runs.push_back(std::move(record));
  }
  return {{"runs", runs}};
}

}  // namespace vkgpt::cli
