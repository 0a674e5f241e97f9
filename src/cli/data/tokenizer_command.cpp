#include <algorithm>
#include <array>
#include <format>
#include <print>
#include <string>
#include <string_view>
#include <vector>

#include "vkgpt/core/error.hpp"
#include "vkgpt/core/suggest.hpp"
#include "vkgpt/core/utf8.hpp"

#include "cli/command/commands.hpp"
#include "cli/data/tokenizer.hpp"

namespace vkgpt::cli {
namespace {

constexpr std::array kSubcommands = {
    Command{"train", "Learn a tokenizer from text", run_tokenizer_train},
    Command{"encode", "Write the token numbers of a text", run_tokenizer_encode},
    Command{"decode", "Write the text of token numbers", run_tokenizer_decode},
    Command{"info", "Say what a tokenizer is and how well it fits a text", run_tokenizer_info},
};

int print_help() {
  std::print(
      "Usage: vkgpt tokenizer SUBCOMMAND [flags]\n\nMakes tokens of text and text of "
      "tokens.\n\nSubcommands:\n");
  for (const Command& command : kSubcommands) std::print("  {:<12}{}\n", command.name, command.summary);
  std::print("\n'vkgpt tokenizer SUBCOMMAND --help' lists its flags.\n");
  return 0;
}

}  // namespace

int run_tokenizer(std::span<const std::string> args) {
  if (args.empty()) fail_usage("no subcommand is given: 'vkgpt tokenizer --help' lists them");
  const std::string& name = args[0];
  if (name == "--help" || name == "-h" || name == "help") return print_help();
  const auto found = std::ranges::find(kSubcommands, name, &Command::name);
  if (found != kSubcommands.end()) return found->run(args.subspan(1));
  std::vector<std::string> known;
  for (const Command& command : kSubcommands) known.emplace_back(command.name);
  const std::string nearest = nearest_word(name, known);
  fail_usage("unknown subcommand 'tokenizer {}'{}", printable(name),
             nearest.empty() ? std::string(": 'vkgpt tokenizer --help' lists them")
                             : std::format(": did you mean '{}'?", nearest));
}

}  // namespace vkgpt::cli
