#include "cli/command_walk.hpp"

#include <string_view>

#include "vkgpt/core/format.hpp"

#include "cli/commands.hpp"

namespace vkgpt::cli {

void for_each_command(const std::function<void(const std::string& path, const Command& command)>& visit) {
  for (const CommandGroup& group : command_groups()) {
    const std::string prefix(group.name.substr(std::string_view("vkgpt").size()));
    for (const Command& command : group.commands) {
      bool is_group = false;
      for (const CommandGroup& inner : command_groups()) {
        is_group |= inner.name == vkgpt::format("{} {}", group.name, command.name);
      }
      if (is_group) continue;
      visit((prefix.empty() ? "" : prefix.substr(1) + " ") + std::string(command.name), command);
    }
  }
}

}  // namespace vkgpt::cli
