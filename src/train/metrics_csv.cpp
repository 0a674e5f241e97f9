#include "vkgpt/train/metrics_csv.hpp"

#include <algorithm>
#include <array>
#include <filesystem>
#include <system_error>
#include <utility>

namespace vkgpt::train {
namespace {

/// Behind "step".
constexpr auto kColumns = std::to_array<std::string_view>(
    {"loss", "learning_rate", "grad_norm", "clip_scale", "loss_scale", "skipped", "step_seconds",
     "tokens_per_second", "train_loss", "val_loss", "ema_val_loss"});

std::string header() {
  std::string text = "step";
  for (const std::string_view column : kColumns) text.append(",").append(column);
  return text + "\n";
}

/// Numbers as in JSON, booleans as 0 and 1; what is not finite stays empty.
std::string cell(const nlohmann::ordered_json& value) {
  if (value.is_boolean()) return value.get<bool>() ? "1" : "0";
  const std::string text = value.is_number() ? value.dump() : "";
  return text == "null" ? "" : text;
}

}  // namespace

MetricsCsv::MetricsCsv(const Path& path, const Path& jsonl) : file_(open(path, jsonl)) {}

MetricsCsv::~MetricsCsv() {
  if (step_) file_.append(row_text());
}

void MetricsCsv::write(const nlohmann::ordered_json& record) {
  const std::string row = take(record);
  if (!row.empty()) file_.append((file_.torn() ? "\n" : "") + row);
}

std::string MetricsCsv::take(const nlohmann::ordered_json& record) {
  const auto step = record.find("step");
  if (step == record.end() || !step->is_number_integer()) return {};
  std::string finished;
  if (step_ && *step_ != step->get<std::int64_t>()) {
    finished = row_text();
    values_.clear();
    step_.reset();
  }
  for (const auto& [key, value] : record.items()) {
    if (std::ranges::find(kColumns, key) == kColumns.end()) continue;
    values_[key] = cell(value);
    step_ = step->get<std::int64_t>();
  }
  return finished;
}

std::string MetricsCsv::row_text() const {
  std::string row = std::to_string(step_.value_or(0));
  for (const std::string_view column : kColumns) {
    const auto found = values_.find(std::string(column));
    row += ",";
    if (found != values_.end()) row += found->second;
  }
  return row + "\n";
}

LogFile MetricsCsv::open(const Path& path, const Path& jsonl) {
  replace_log(path, [&](const auto& write) {
    write(header());
    std::error_code ignored;
    if (!std::filesystem::exists(jsonl, ignored)) return;
    for_each_line(jsonl, [&](std::string_view line) {
      const auto record = nlohmann::ordered_json::parse(line, nullptr, /*allow_exceptions=*/false);
      if (record.is_object()) write(take(record));
    });
  });
  return LogFile(path);
}

}  // namespace vkgpt::train
