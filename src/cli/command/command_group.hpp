#pragma once

#include <span>
#include <string>
#include <string_view>

namespace vkgpt::cli {

/// A subcommand.
struct Command {
  std::string_view name;
  std::string_view summary;
  /// Gives the exit code; throws `Error`.
  int (*run)(std::span<const std::string> args);
};

/// Commands behind a common name: "vkgpt", "vkgpt data".
struct CommandGroup {
  std::string_view name;
  std::string_view summary;
  std::span<const Command> commands;
};

/// The list that `NAME --help` prints.
std::string group_help(const CommandGroup& group);

/// Runs the command that `args` begin with; "--help" and "help [COMMAND]" print help. Usage errors: no
/// command, an unknown one.
int run_group(const CommandGroup& group, std::span<const std::string> args);

}  // namespace vkgpt::cli
