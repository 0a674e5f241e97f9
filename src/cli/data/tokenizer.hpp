#pragma once

#include <span>
#include <string>

#include "cli/command/command_group.hpp"

namespace vkgpt::cli {

// The subcommands of `vkgpt tokenizer`; a new one costs its declaration here and its line in
// tokenizer_command.cpp.

extern const CommandGroup kTokenizerGroup;

int run_tokenizer_train(std::span<const std::string> args);
int run_tokenizer_encode(std::span<const std::string> args);
int run_tokenizer_decode(std::span<const std::string> args);
int run_tokenizer_info(std::span<const std::string> args);

}  // namespace vkgpt::cli
