#pragma once

#include <span>
#include <string>
#include <string_view>

#include "vkgpt/core/config_field.hpp"

namespace vkgpt::cli {

/// A command as its help shows it.
struct CommandDescription {
  std::string command;  // "train", "data get"
  std::string summary;
  std::string positionals;  // after the name in the usage line, "[NAME]"
  std::span<const Field> fields;
};

/// Usage, summary, and the flags by group with their defaults, as `format` says:
///   text   for a terminal
///   man    a section of the manual page, in troff's man macros
///   flags  a line a flag: name, its choices or empty, its help; separated by tabs
///   fish   commands of the fish shell that complete the flags
/// Throws a usage error for another format.
std::string help_text(const CommandDescription& command, std::string_view format);

}  // namespace vkgpt::cli
