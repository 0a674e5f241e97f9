#include <algorithm>
#include <array>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "cli/commands.hpp"
#include "cli/data/tokenizer.hpp"

namespace vkgpt::cli {
namespace {

constexpr std::array kTokenizerCommands = {
    Command{"train", "Learn a tokenizer from text", run_tokenizer_train},
    Command{"encode", "Write the token numbers of a text", run_tokenizer_encode},
    Command{"decode", "Write the text of token numbers", run_tokenizer_decode},
    Command{"chat", "Write conversations as a model reads them", run_tokenizer_chat},
    Command{"info", "Say what a tokenizer is and how well it fits a text", run_tokenizer_info},
};

/// `word` with the flag that it is, or begins with, renamed where it is `from`.
std::string renamed(const std::string& word, std::string_view from, std::string_view to) {
  const bool is_flag = word.starts_with(from) && (word.size() == from.size() || word[from.size()] == '=');
  return is_flag ? std::string(to) + word.substr(from.size()) : word;
}

/// The forms of other trainers: `--train FILE`, `--encode TEXT` and `--decode NUMBERS` instead of
/// subcommands, with --vocab-size and --output.
std::vector<std::string> as_subcommand(std::span<const std::string> args) {
  for (const std::string_view form : {"--train", "--encode", "--decode"}) {
    const std::string command(form.substr(2));
    const auto found = std::ranges::find_if(
        args, [&](const std::string& arg) { return renamed(arg, form, command) != arg; });
    if (found == args.end()) continue;
    std::vector<std::string> words = {command};
    if (form != "--train") words.emplace_back("--text");
    if (found->size() > form.size()) words.push_back(found->substr(form.size() + 1));
    words.insert(words.end(), found + 1, args.end());
    words.insert(words.end(), args.begin(), found);
    for (std::string& word : words) {
      word = renamed(renamed(word, "--vocab-size", "--bpe_vocab_size"), "--output", "--out");
      word = renamed(word, "--vocab_size", "--bpe_vocab_size");
    }
    return words;
  }
  return {args.begin(), args.end()};
}

}  // namespace

constinit const CommandGroup kTokenizerGroup = {"vkgpt tokenizer", "Makes tokens of text and text of tokens.",
                                                kTokenizerCommands};

int run_tokenizer(std::span<const std::string> args) {
  return run_group(kTokenizerGroup, as_subcommand(args));
}

}  // namespace vkgpt::cli
