#include "cli/command/command_group.hpp"

#include <algorithm>
#include <array>
#include <print>
#include <vector>

#include "vkgpt/core/error.hpp"
#include "vkgpt/core/format.hpp"
#include "vkgpt/core/suggest.hpp"
#include "vkgpt/core/utf8.hpp"

namespace vkgpt::cli {
namespace {

const Command& find_command(const CommandGroup& group, const std::string& name) {
  const auto found = std::ranges::find(group.commands, name, &Command::name);
  if (found != group.commands.end()) return *found;
  std::vector<std::string> known = {"help"};
  for (const Command& command : group.commands) known.emplace_back(command.name);
  const std::string nearest = nearest_word(name, known);
  fail_usage("unknown command '{}'{}", printable(name),
             nearest.empty() ? vkgpt::format(": '{} --help' lists them", group.name)
                             : vkgpt::format(": did you mean '{}'?", nearest));
}

}  // namespace

std::string group_help(const CommandGroup& group) {
  std::string text =
      vkgpt::format("Usage: {} COMMAND [flags]\n\n{}\n\nCommands:\n", group.name, group.summary);
  for (const Command& command : group.commands) {
    text += vkgpt::format("  {:<12}{}\n", command.name, command.summary);
  }
  return text +
         vkgpt::format("\n'{} COMMAND --help' lists a command's flags with their defaults.\n", group.name);
}

int run_group(const CommandGroup& group, std::span<const std::string> args) {
  if (args.empty()) fail_usage("no command is given: '{} --help' lists them", group.name);
  const std::string& name = args[0];
  if (name == "--help" || name == "-h" || (name == "help" && args.size() == 1)) {
    std::print("{}", group_help(group));
    return 0;
  }
  if (name == "help") return find_command(group, args[1]).run(std::array{std::string("--help")});
  return find_command(group, name).run(args.subspan(1));
}

}  // namespace vkgpt::cli
