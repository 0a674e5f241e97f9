#pragma once

#include <string_view>

#include "vkgpt/core/format.hpp"

namespace vkgpt {

enum class LogLevel { kDebug, kInfo, kWarning, kError };

/// Messages below this level are dropped. The default is `kInfo`.
void set_log_level(LogLevel level);

/// Writes one line to stderr (stdout carries data only), with what would end or colour it escaped. Safe from
/// several threads.
void log_line(LogLevel level, std::string_view text);

/// Writes lines of text to stderr, at the level `kInfo`.
void log_text(std::string_view text);

template <typename... Args>
void log_debug(std::format_string<Args...> format, Args&&... args) {
  log_line(LogLevel::kDebug, vkgpt::vformat(format.get(), std::make_format_args(args...)));
}

template <typename... Args>
void log_info(std::format_string<Args...> format, Args&&... args) {
  log_line(LogLevel::kInfo, vkgpt::vformat(format.get(), std::make_format_args(args...)));
}

template <typename... Args>
void log_warning(std::format_string<Args...> format, Args&&... args) {
  log_line(LogLevel::kWarning, vkgpt::vformat(format.get(), std::make_format_args(args...)));
}

template <typename... Args>
void log_error(std::format_string<Args...> format, Args&&... args) {
  log_line(LogLevel::kError, vkgpt::vformat(format.get(), std::make_format_args(args...)));
}

}  // namespace vkgpt
