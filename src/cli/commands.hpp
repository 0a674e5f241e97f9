#pragma once

#include <span>
#include <string>

#include "cli/command/command_group.hpp"

namespace vkgpt::cli {

/// The groups of commands: the program's own, whose new members cost their declaration here and their line
/// there, then those of the commands that have subcommands.
std::span<const CommandGroup> command_groups();

/// Runs the command that `args` (without the program's name) begins with.
int run_program(std::span<const std::string> args);

int run_train(std::span<const std::string> args);
int run_generate(std::span<const std::string> args);
int run_chat(std::span<const std::string> args);
int run_serve(std::span<const std::string> args);
int run_eval(std::span<const std::string> args);
int run_import(std::span<const std::string> args);
int run_export(std::span<const std::string> args);
int run_merge(std::span<const std::string> args);
int run_plan(std::span<const std::string> args);
int run_kernels(std::span<const std::string> args);
int run_plot(std::span<const std::string> args);
int run_dashboard(std::span<const std::string> args);
int run_sweep(std::span<const std::string> args);
int run_bench(std::span<const std::string> args);
int run_profile(std::span<const std::string> args);
int run_selftest(std::span<const std::string> args);
int run_tune(std::span<const std::string> args);
int run_data(std::span<const std::string> args);
int run_tokenizer(std::span<const std::string> args);
int run_doctor(std::span<const std::string> args);
int run_devices(std::span<const std::string> args);
int run_man(std::span<const std::string> args);
int run_completions(std::span<const std::string> args);
int run_docs(std::span<const std::string> args);

}  // namespace vkgpt::cli
