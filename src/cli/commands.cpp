#include "cli/commands.hpp"

#include <array>
#include <cstdlib>
#include <print>

#include "vkgpt/core/config_field.hpp"
#include "vkgpt/core/log.hpp"

#include "cli/data/data_commands.hpp"
#include "cli/data/tokenizer.hpp"

namespace vkgpt::cli {
namespace {

constexpr std::array kCommands = {
    Command{"train", "Train a model on a text", run_train},
    Command{"generate", "Continue a prompt with a trained model", run_generate},
    Command{"chat", "Talk with a model", run_chat},
    Command{"serve", "Serve a model over HTTP, with a chat page", run_serve},
    Command{"eval", "Measure a model on a text", run_eval},
    Command{"import", "Take over a model of transformers or llm.c", run_import},
    Command{"export", "Write a model for transformers, llama.cpp or llm.c", run_export},
    Command{"merge", "Add adapters to their model", run_merge},
    Command{"plot", "Draw the curves of runs", run_plot},
    Command{"dashboard", "Show runs in a browser, while they train and afterwards", run_dashboard},
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
    Command{"doctor", "Describe the system for a bug report, with advice", run_doctor},
    Command{"man", "Print the manual page", run_man},
    Command{"completions", "Print completions for bash, zsh or fish", run_completions},
    Command{"docs", "Read about the theory, the kernels and the file formats", run_docs},
};

const std::array kGroups = {
    CommandGroup{"vkgpt", "Trains and runs GPTs on any GPU with Vulkan 1.3.", kCommands},
    kDataGroup,
    kTokenizerGroup,
};

}  // namespace

std::span<const CommandGroup> command_groups() {
  return kGroups;
}

int run_program(std::span<const std::string> args) {
  const char* const debug = std::getenv("DEBUG");
  bool is_debug = false;
  if (debug != nullptr && parse_bool(debug, is_debug) && is_debug) set_log_level(LogLevel::kDebug);
  if (!args.empty() && (args[0] == "--version" || args[0] == "version")) {
    std::print("vkgpt {}\n", VKGPT_VERSION);
    return 0;
  }
  return run_group(kGroups.front(), args);
}

}  // namespace vkgpt::cli
