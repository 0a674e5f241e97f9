#include "vkgpt/train/metrics.hpp"

#include <cstdint>
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

/// Opens the log after what belongs to another future was dropped from it.
LogFile open_log(const Path& path, std::int64_t finished_steps) {
  std::error_code ignored;
  if (!std::filesystem::exists(path, ignored)) return LogFile(path);
  const auto is_kept = [finished_steps](std::string_view line) {
    return line.ends_with('\n') && belongs(line, finished_steps);
  };
  std::uint64_t kept = 0;  // lines before the first that is dropped
  bool drops = false;
  for_each_line(path, [&](std::string_view line) {
    drops = drops || !is_kept(line);
    if (!drops) ++kept;
  });
  if (drops) {
    replace_log(path, [&](const auto& write) {
      for_each_line(path, [&](std::string_view line) {
        if (kept > 0 || is_kept(line)) write(line);
        if (kept > 0) --kept;
      });
    });
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
