#include "vkgpt/train/metrics.hpp"

#include <cstddef>
#include <filesystem>
#include <string>
#include <string_view>
#include <system_error>

namespace vkgpt::train {
namespace {

/// Whether a line belongs to the run up to `finished_steps`.
bool belongs(std::string_view line, std::int64_t finished_steps) {
  const auto record = nlohmann::json::parse(line, nullptr, /*allow_exceptions=*/false);
  if (!record.is_object()) return false;
  const auto step = record.find("step");
  return step != record.end() && step->is_number_integer() && step->get<std::int64_t>() <= finished_steps;
}

std::string kept_lines(std::string_view text, std::int64_t finished_steps) {
  std::string kept;
  while (!text.empty()) {
    const std::size_t end = text.find('\n');
    if (end == std::string_view::npos) break;
    const std::string_view line = text.substr(0, end + 1);
    if (belongs(line, finished_steps)) kept += line;
    text.remove_prefix(end + 1);
  }
  return kept;
}

/// Opens the log after what belongs to another future was dropped from it.
LogFile open_log(const Path& path, std::int64_t finished_steps) {
  std::error_code ignored;
  if (std::filesystem::exists(path, ignored)) {
    const std::string text = read_file(path);
    const std::string kept = kept_lines(text, finished_steps);
    if (kept != text) replace_file(path, kept);
  }
  return LogFile(path);
}

}  // namespace

MetricsLog::MetricsLog(const Path& path, std::int64_t finished_steps)
    : file_(open_log(path, finished_steps)) {}

void MetricsLog::write(const nlohmann::ordered_json& record) {
  using nlohmann::ordered_json;
  file_.append((file_.torn() ? "\n" : "") +
               record.dump(-1, ' ', false, ordered_json::error_handler_t::replace) + "\n");
}

}  // namespace vkgpt::train
