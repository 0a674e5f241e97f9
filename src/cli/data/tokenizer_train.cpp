#include "cli/data/tokenizer_train.hpp"

#include <algorithm>
#include <bitset>
#include <chrono>
#include <filesystem>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "vkgpt/core/error.hpp"
#include "vkgpt/core/format.hpp"
#include "vkgpt/core/interrupt.hpp"
#include "vkgpt/core/log.hpp"
#include "vkgpt/core/status_line.hpp"
#include "vkgpt/core/units.hpp"
#include "vkgpt/core/utf8.hpp"
#include "vkgpt/text/corpus/text_source.hpp"
#include "vkgpt/text/tokenizer/bpe_tokenizer.hpp"
#include "vkgpt/text/tokenizer/char_tokenizer.hpp"
#include "vkgpt/text/tokenizer/make_split.hpp"
#include "vkgpt/text/tokenizer/open_tokenizer.hpp"

#include "cli/command/command_line.hpp"
#include "cli/command/print_path.hpp"
#include "cli/data/tokenizer.hpp"

namespace vkgpt::cli {
namespace {

struct TrainOptions {
  std::string out = "tokenizer";
  std::string type = "bpe";
  std::int64_t bpe_vocab_size = 8192;
  std::string special_tokens = "<|endoftext|>";
  std::int64_t min_frequency = 2;
  std::string split_pattern = "gpt2";
  std::string text_field = "text";
  bool skip_bad_lines = false;
  std::int64_t threads = 0;
  bool overwrite = false;

  template <typename Visitor, typename Self>
  static void visit_fields(Visitor&& visit, Self& self) {
    constexpr auto kGroup = "Tokenizer";
    visit(FieldInfo{.name = "out", .group = kGroup, .help = "Directory for the tokenizer's files"}, self.out);
    visit(FieldInfo{.name = "type",
                    .group = kGroup,
                    .help = "Byte-level BPE, the characters of the text, or bytes (which need no text)",
                    .choices = "bpe|char|byte"},
          self.type);
    visit(FieldInfo{.name = "bpe_vocab_size",
                    .group = kGroup,
                    .help = "Tokens, with the 256 bytes and the special ones",
                    .min = 256,
                    .max = text::kMaxBpeVocabSize},
          self.bpe_vocab_size);
    visit(FieldInfo{.name = "special_tokens",
                    .group = kGroup,
                    .help = "Names with commas between, the first tokens; the first of them ends a document"},
          self.special_tokens);
    visit(FieldInfo{.name = "min_frequency",
                    .group = kGroup,
                    .help = "Pairs seen less often are not merged",
                    .min = 1,
                    .max = 1e15},
          self.min_frequency);
    visit(FieldInfo{.name = "split_pattern",
                    .group = kGroup,
                    .help = "The words that merges stay inside",
                    .choices = "gpt2|cl100k|o200k|none"},
          self.split_pattern);
    visit(FieldInfo{.name = "text_field",
                    .group = kGroup,
                    .help = "Where the text is in the records of .jsonl files"},
          self.text_field);
    visit(FieldInfo{.name = "skip_bad_lines",
                    .group = kGroup,
                    .help = "Pass over lines of JSON Lines that cannot be read, and say how many"},
          self.skip_bad_lines);
    visit(FieldInfo{.name = "threads",
                    .group = kGroup,
                    .help = "That count words; the tokenizer does not depend on it",
                    .min = 0,
                    .max = 4096,
                    .zero_name = "auto"},
          self.threads);
    visit(FieldInfo{.name = "overwrite", .group = kGroup, .help = "Replace a tokenizer that is there"},
          self.overwrite);
  }
};

std::vector<std::string> names_of(std::string_view list) {
  std::vector<std::string> names;
  while (!list.empty()) {
    const std::size_t end = std::min(list.find(','), list.size());
    names.emplace_back(list.substr(0, end));
    list.remove_prefix(std::min(end + 1, list.size()));
  }
  return names;
}

[[noreturn]] void stop() {
  throw Error("interrupted: no tokenizer is written", ExitCode::kInterrupted);
}

/// Keeps every character once, so that the text may be larger than memory.
text::CharTokenizer train_characters(text::TextSource& source) {
  const auto seen = std::make_unique<std::bitset<0x110000>>();
  std::string characters;
  while (const std::optional<text::TextPiece> piece = source.next()) {
    if (interrupted()) stop();
    for (std::size_t at = 0; at < piece->text.size();) {
      const Utf8Char c = decode_utf8(piece->text, at);
      if (c.length == 0) {
        fail("{} is not UTF-8: --type char needs that (--type bpe does not)",
             source.inputs()[piece->input].path.string());
      }
      if (!seen->test(c.code_point)) append_utf8(characters, c.code_point);
      seen->set(c.code_point);
      at += c.length;
    }
  }
  return text::CharTokenizer::from_text(characters, "the text");
}

std::unique_ptr<text::Tokenizer> train(const TrainOptions& options, const std::vector<std::string>& inputs) {
  if (options.type == "byte") {
    if (!inputs.empty()) fail_usage("--type byte takes no text: every byte is a token");
    return text::open_tokenizer("byte");
  }
  if (inputs.empty()) fail_usage("expected 'vkgpt tokenizer train INPUT... [--out DIR]'");
  text::TextSource source(
      {.inputs = inputs, .text_field = options.text_field, .skip_bad_lines = options.skip_bad_lines});
  if (options.type == "char") return std::make_unique<text::CharTokenizer>(train_characters(source));
  const text::BpeTrainerConfig config = {.vocab_size = options.bpe_vocab_size,
                                         .min_frequency = options.min_frequency,
                                         .split_pattern = options.split_pattern,
                                         .special_tokens = names_of(options.special_tokens),
                                         .threads = static_cast<std::size_t>(options.threads)};
  return train_bpe_tokenizer([&] { return source.next(); }, config, source.total_bytes());
}

}  // namespace

std::unique_ptr<text::Tokenizer> train_bpe_tokenizer(const text::NextPiece& next,
                                                     const text::BpeTrainerConfig& config,
                                                     std::optional<std::uint64_t> text_bytes) {
  const auto begin = std::chrono::steady_clock::now();
  StatusLine line;
  std::uint64_t read_bytes = 0;
  const auto show = [&](const text::BpeProgress& progress) {
    read_bytes = progress.text_bytes;
    if (!line.due()) return !interrupted();
    if (progress.tokens > 0) {
      line.show(static_cast<double>(progress.tokens) / static_cast<double>(config.vocab_size),
                vkgpt::format("merging: {} of {} tokens", progress.tokens, config.vocab_size));
    } else if (text_bytes) {
      line.show(
          static_cast<double>(read_bytes) / static_cast<double>(std::max<std::uint64_t>(1, *text_bytes)),
          vkgpt::format("counting words: {} of {}", format_bytes(read_bytes), format_bytes(*text_bytes)));
    } else {
      line.show(0, vkgpt::format("counting words: {}", format_bytes(read_bytes)));
    }
    return !interrupted();
  };
  std::optional<text::BpeVocabulary> vocabulary = text::train_bpe(next, config, show);
  line.clear();
  if (!vocabulary) stop();
  if (std::ssize(vocabulary->tokens) < config.vocab_size) {
    log_info("the text has no more pairs that occur {} times: {} tokens instead of {}", config.min_frequency,
             vocabulary->tokens.size(), config.vocab_size);
  }
  const std::chrono::duration<double> seconds = std::chrono::steady_clock::now() - begin;
  log_info("{} tokens learned from {} of text in {:.1f} s", vocabulary->tokens.size(),
           format_bytes(read_bytes), seconds.count());
  return std::make_unique<text::BpeTokenizer>(
      std::move(*vocabulary), text::make_split_pattern(config.split_pattern), "the trained tokenizer");
}

void write_tokenizer(const text::Tokenizer& tokenizer, const Path& directory) {
  text::write_tokenizer_files(tokenizer, directory);
}

int run_tokenizer_train(std::span<const std::string> args) {
  TrainOptions options;
  CommandLine command("tokenizer train",
                      "Learns a tokenizer from files, directories, globs, JSON Lines or standard input (-).",
                      "INPUT...");
  command.add(options);
  if (!command.parse(args)) return 0;
  if (options.out.empty()) fail_usage("--out is empty: give a directory");
  const Path out = options.out;
  if (!options.overwrite && std::filesystem::exists(out / text::kTokenizerFile)) {
    fail_usage("{} has a tokenizer: give another --out, or --overwrite", out.string());
  }
  install_interrupt_handlers();
  write_tokenizer(*train(options, command.positionals()), out);
  print_path(out.string());
  return 0;
}

}  // namespace vkgpt::cli
