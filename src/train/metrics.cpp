#include "vkgpt/train/metrics.hpp"

#include <cerrno>
#include <cstddef>
#include <cstring>
#include <filesystem>
#include <string>
#include <string_view>
#include <system_error>
#include <utility>

#include <fcntl.h>
#include <unistd.h>

#include "vkgpt/core/log.hpp"

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

}  // namespace

MetricsLog::MetricsLog(const Path& path, std::int64_t finished_steps) : path_(path) {
  std::error_code ignored;
  if (std::filesystem::exists(path, ignored)) {
    const std::string text = read_file(path);
    const std::string kept = kept_lines(text, finished_steps);
    if (kept != text) replace_file(path, kept);
  }
  fd_ = ::open(path.c_str(), O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0666);
  if (fd_ < 0) throw IoError("open", path, errno);
}

MetricsLog::MetricsLog(MetricsLog&& other) noexcept
    : path_(std::move(other.path_)),
      fd_(std::exchange(other.fd_, -1)),
      torn_(other.torn_),
      warned_(other.warned_) {}

MetricsLog::~MetricsLog() {
  if (fd_ >= 0) ::close(fd_);
}

void MetricsLog::write(const nlohmann::ordered_json& record) {
  using nlohmann::ordered_json;
  std::string line = torn_ ? "\n" : "";
  line += record.dump(-1, ' ', false, ordered_json::error_handler_t::replace) + "\n";
  std::string_view rest = line;
  while (!rest.empty()) {
    const ssize_t n = ::write(fd_, rest.data(), rest.size());
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) break;
    rest.remove_prefix(static_cast<std::size_t>(n));
  }
  if (rest.empty()) {
    torn_ = false;
  } else {
    torn_ = torn_ || rest.size() < line.size();
    if (!std::exchange(warned_, true)) {
      log_warning("cannot write to {}: {}; training goes on without it", path_.string(),
                  std::strerror(errno));
    }
  }
}

}  // namespace vkgpt::train
