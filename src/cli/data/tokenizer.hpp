#pragma once

#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "cli/command/command_group.hpp"

namespace vkgpt::cli {

// The subcommands of `vkgpt tokenizer`; a new one costs its declaration here and its line in
// tokenizer_command.cpp.

extern const CommandGroup kTokenizerGroup;

int run_tokenizer_train(std::span<const std::string> args);
int run_tokenizer_encode(std::span<const std::string> args);
int run_tokenizer_decode(std::span<const std::string> args);
int run_tokenizer_info(std::span<const std::string> args);
int run_tokenizer_chat(std::span<const std::string> args);

/// The file that a subcommand is given, standard input for "-", or `text` (of --text) instead of them;
/// `usage` is what to say otherwise.
std::string read_tokenizer_input(const std::vector<std::string>& positionals, std::string_view usage,
                                 const std::string& text = {});

}  // namespace vkgpt::cli
