#pragma once

#include <functional>
#include <string>

#include "cli/command/command_group.hpp"

namespace vkgpt::cli {

/// Calls `visit` for every command that has flags, with its path, such as "data get".
void for_each_command(const std::function<void(const std::string& path, const Command& command)>& visit);

}  // namespace vkgpt::cli
