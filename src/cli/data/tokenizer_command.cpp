#include <array>
#include <string>

#include "cli/commands.hpp"
#include "cli/data/tokenizer.hpp"

namespace vkgpt::cli {
namespace {

constexpr std::array kCommands = {
    Command{"train", "Learn a tokenizer from text", run_tokenizer_train},
    Command{"encode", "Write the token numbers of a text", run_tokenizer_encode},
    Command{"decode", "Write the text of token numbers", run_tokenizer_decode},
    Command{"info", "Say what a tokenizer is and how well it fits a text", run_tokenizer_info},
};

}  // namespace

constinit const CommandGroup kTokenizerGroup = {"vkgpt tokenizer", "Makes tokens of text and text of tokens.",
                                                kCommands};

int run_tokenizer(std::span<const std::string> args) {
  return run_group(kTokenizerGroup, args);
}

}  // namespace vkgpt::cli
