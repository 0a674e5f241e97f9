#include "vkgpt/core/log.hpp"

#include <atomic>
#include <cstdio>
#include <mutex>
#include <string>
#include <utility>

#include "vkgpt/core/format.hpp"
#include "vkgpt/core/log_prefix.hpp"
#include "vkgpt/core/message.hpp"
#include "vkgpt/core/utf8.hpp"

namespace vkgpt {
namespace {

std::atomic<LogLevel> g_level = LogLevel::kInfo;
std::mutex g_mutex;
std::string g_prefix;

std::string_view prefix(LogLevel level) {
  switch (level) {
    case LogLevel::kDebug:
      return "debug: ";
    case LogLevel::kInfo:
      return "";
    case LogLevel::kWarning:
      return "warning: ";
    case LogLevel::kError:
      return "error: ";
  }
  return "";
}

void write_out(std::string_view lines) {
  const std::lock_guard lock(g_mutex);
  std::fwrite(lines.data(), 1, lines.size(), stderr);
  std::fflush(stderr);
}

}  // namespace

void set_log_level(LogLevel level) {
  g_level = level;
}

void set_log_prefix(std::string prefix) {
  g_prefix = std::move(prefix);
}

const std::string& log_prefix() {
  return g_prefix;
}

void log_line(LogLevel level, std::string_view text) {
  if (level < g_level.load()) return;
  const std::string line = vkgpt::format(
      "{}{}{}\n", g_prefix, prefix(level),
      level == LogLevel::kWarning ? message_line(text) : printable(text, std::string_view::npos));
  write_out(line);
}

void log_text(std::string_view text) {
  if (g_level.load() <= LogLevel::kInfo) write_out(printable_lines(text) + "\n");
}

}  // namespace vkgpt
