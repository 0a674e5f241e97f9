#pragma once

#include <span>
#include <string>
#include <string_view>

namespace vkgpt::cli {

/// A subcommand. A new one costs its declaration here and its line in `commands()`.
struct Command {
  std::string_view name;
  std::string_view summary;
  /// Gives the exit code; throws `Error`.
  int (*run)(std::span<const std::string> args);
};

std::span<const Command> commands();

/// Runs the subcommand that `args` (without the program's name) begins with.
int run_program(std::span<const std::string> args);

int run_train(std::span<const std::string> args);
int run_generate(std::span<const std::string> args);
int run_chat(std::span<const std::string> args);
int run_eval(std::span<const std::string> args);
int run_import(std::span<const std::string> args);
int run_export(std::span<const std::string> args);
int run_plan(std::span<const std::string> args);
int run_kernels(std::span<const std::string> args);
int run_plot(std::span<const std::string> args);
int run_sweep(std::span<const std::string> args);
int run_bench(std::span<const std::string> args);
int run_profile(std::span<const std::string> args);
int run_selftest(std::span<const std::string> args);
int run_tune(std::span<const std::string> args);
int run_data(std::span<const std::string> args);
int run_tokenizer(std::span<const std::string> args);
int run_devices(std::span<const std::string> args);
int run_docs(std::span<const std::string> args);

}  // namespace vkgpt::cli
