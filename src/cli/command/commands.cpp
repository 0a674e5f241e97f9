#include "cli/command/commands.hpp"

#include <algorithm>
#include <array>
#include <format>
#include <print>
#include <vector>

#include "vkgpt/core/error.hpp"
#include "vkgpt/core/suggest.hpp"
#include "vkgpt/core/utf8.hpp"

namespace vkgpt::cli {
namespace {

constexpr std::array kCommands = {
    Command{"train", "Train a model on a text", run_train},
    Command{"generate", "Continue a prompt with a trained model", run_generate},
    Command{"chat", "Talk with a model", run_chat},
    Command{"eval", "Measure a model on a text", run_eval},
    Command{"import", "Take over a model of transformers or llm.c", run_import},
    Command{"export", "Write a model for transformers, llama.cpp or llm.c", run_export},
    Command{"plot", "Draw the curves of runs", run_plot},
    Command{"sweep", "Search over settings", run_sweep},
    Command{"plan", "Print the train step without a GPU", run_plan},
    Command{"kernels", "List the pipelines of a configuration with the driver's statistics", run_kernels},
    Command{"bench", "Time this device", run_bench},
    Command{"profile", "Time the train step by kernel, with a trace for Perfetto", run_profile},
    Command{"selftest", "Check every kernel on this device", run_selftest},
    Command{"tune", "Find the fastest kernels for a model on this device", run_tune},
    Command{"data", "Fetch texts, prepare and check tokens", run_data},
    Command{"tokenizer", "Make tokens of text and text of tokens", run_tokenizer},
    Command{"devices", "List the Vulkan devices and which one is used", run_devices},
    Command{"docs", "Read about the theory, the kernels and the file formats", run_docs},
};

int print_help() {
  std::print(
      "vkgpt {}: trains and runs GPTs on any GPU with Vulkan 1.3\n\nUsage: vkgpt COMMAND "
      "[flags]\n\nCommands:\n",
      VKGPT_VERSION);
  for (const Command& command : kCommands) std::print("  {:<12}{}\n", command.name, command.summary);
  std::print("  {:<12}{}\n  {:<12}{}\n", "version", "Print the version", "help",
             "This text, or 'help COMMAND'");
  std::print("\n'vkgpt COMMAND --help' lists a command's flags with their defaults.\n");
  return 0;
}

const Command& find_command(const std::string& name) {
  const auto found = std::ranges::find(kCommands, name, &Command::name);
  if (found != kCommands.end()) return *found;
  std::vector<std::string> known = {"help", "version"};
  for (const Command& command : kCommands) known.emplace_back(command.name);
  const std::string nearest = nearest_word(name, known);
  fail_usage("unknown command '{}'{}", printable(name),
             nearest.empty() ? ": 'vkgpt --help' lists them" : std::format(": did you mean '{}'?", nearest));
}

}  // namespace

std::span<const Command> commands() {
  return kCommands;
}

int run_program(std::span<const std::string> args) {
  if (args.empty()) fail_usage("no command is given: 'vkgpt --help' lists them");
  const std::string& name = args[0];
  if (name == "--help" || name == "-h" || (name == "help" && args.size() == 1)) return print_help();
  if (name == "--version" || name == "version") {
    std::print("vkgpt {}\n", VKGPT_VERSION);
    return 0;
  }
  if (name == "help") return find_command(args[1]).run(std::array{std::string("--help")});
  return find_command(name).run(args.subspan(1));
}

}  // namespace vkgpt::cli
