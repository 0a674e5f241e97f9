#include <algorithm>
#include <filesystem>
#include <iterator>
#include <memory>
#include <optional>
#include <print>
#include <span>
#include <string>
#include <system_error>
#include <utility>
#include <vector>

#include "vkgpt/core/error.hpp"
#include "vkgpt/core/format.hpp"
#include "vkgpt/core/interrupt.hpp"
#include "vkgpt/core/log.hpp"
#include "vkgpt/core/units.hpp"
#include "vkgpt/text/corpus/chat_data.hpp"
#include "vkgpt/text/corpus/prepare.hpp"
#include "vkgpt/text/corpus/text_cutter.hpp"
#include "vkgpt/text/tokenizer/make_split.hpp"
#include "vkgpt/text/tokenizer/open_tokenizer.hpp"
#include "vkgpt/text/tokenizer/tokenizer_choice.hpp"
#include "vkgpt/train/progress.hpp"

#include "cli/command/command_line.hpp"
#include "cli/command/print_path.hpp"
#include "cli/data/data_commands.hpp"

namespace vkgpt::cli {
namespace {

struct OutputOptions {
  bool json = false;

  template <typename Visitor, typename Self>
  static void visit_fields(Visitor&& visit, Self& self) {
    visit(FieldInfo{.name = "json", .group = "Output", .help = "Print the manifest as JSON"}, self.json);
  }
};

text::TextSourceConfig source_config(const text::PrepareConfig& config, std::span<const std::string> inputs) {
  return {.inputs = {inputs.begin(), inputs.end()},
          .text_field = config.text_field,
          .format = config.input_format,
          .document_separator = config.document_separator,
          .skip_bad_lines = config.skip_bad_lines};
}

/// Learning reads the texts once more, before they are encoded.
std::unique_ptr<text::Tokenizer> tokenizer_of(const text::PrepareConfig& config,
                                              const text::TextSourceConfig& texts) {
  const text::TokenizerChoice choice{.name = config.tokenizer, .bpe_vocab_size = config.bpe_vocab_size};
  if (!text::is_learned(choice)) return text::make_tokenizer(choice, {}, config.tokenizer);
  text::TextSource source(texts);
  if (!source.total_bytes()) {
    fail_usage("--tokenizer {} reads the texts twice, standard input comes once: save it to a file first",
               config.tokenizer);
  }
  const std::unique_ptr<text::SplitPattern> split = text::make_split_pattern("gpt2");
  text::TextCutter cutter(source, [&](std::string_view text) { return split->safe_prefix(text); });
  log_info("learning the tokenizer from {}", format_bytes(*source.total_bytes()));
  const auto next = [&]() -> std::optional<std::string> {
    if (interrupted()) throw Error("interrupted while the tokenizer was learned", ExitCode::kInterrupted);
    std::optional<text::TextPiece> piece = cutter.next();
    if (!piece) return std::nullopt;
    return std::move(piece->text);
  };
  return text::make_tokenizer(choice, next, "the inputs");
}

void report(const text::PrepareResult& result, const std::string& out, double seconds, std::uint64_t bytes) {
  const auto& [train, validation] = result.manifest.splits;
  const std::string counts =
      vkgpt::format("{} training tokens in {} shards, {} for validation in {}", train.tokens,
                    train.shards.size(), validation.tokens, validation.shards.size());
  if (result.was_there) {
    log_info("{} is complete: {}", out, counts);
  } else {
    log_info("{}: {}; {} documents, {} in {:.1f} s ({:.1f} MB/s)", out, counts,
             train.documents + validation.documents, format_bytes(bytes), seconds,
             static_cast<double>(bytes) / seconds / 1e6);
  }
}

/// Files, those of directories whose names say JSON Lines, globs.
std::vector<Path> chat_files(std::span<const std::string> inputs) {
  std::vector<Path> files;
  for (const std::string& input : inputs) {
    std::error_code error;
    if (!std::filesystem::is_directory(input, error)) {
      std::ranges::move(text::files_matching(input), std::back_inserter(files));
      continue;
    }
    for (const Path& path : list_directory(input)) {
      if (text::holds_conversations(path)) files.push_back(path);
    }
  }
  if (files.empty()) fail("no file of conversations is named");
  return files;
}

void print_record(const text::PrepareResult& result, const std::string& out, bool json) {
  if (!json) return print_path(out);
  nlohmann::ordered_json record = {
      {"out", out}, {"tokenizer", result.manifest.tokenizer}, {"vocab_size", result.manifest.vocab_size}};
  for (std::size_t i = 0; i < text::kSplitNames.size(); ++i) {
    record[text::kSplitNames[i]] = text::to_json(result.manifest.splits[i]);
  }
  std::print("{}\n", record.dump());
}

int prepare_chat(const text::PrepareConfig& config, std::span<const std::string> inputs, bool json) {
  if (text::is_learned({.name = config.tokenizer})) {
    fail_usage("--chat: --tokenizer {} would be learned: name the model's directory or file",
               config.tokenizer);
  }
  const std::unique_ptr<text::Tokenizer> tokenizer = text::open_tokenizer(config.tokenizer);
  const std::vector<Path> files = chat_files(inputs);
  const text::PrepareResult result = text::prepare_chat_dataset(config, files, *tokenizer);
  const auto& [train, validation] = result.manifest.splits;
  log_info("{}{}: {} training tokens in {} conversations, {} for validation in {}", config.out,
           result.was_there ? " is complete" : "", train.tokens, train.documents, validation.tokens,
           validation.documents);
  print_record(result, config.out, json);
  return 0;
}

}  // namespace

int run_data_prepare(std::span<const std::string> args) {
  text::PrepareConfig config;
  OutputOptions output;
  CommandLine command(
      "data prepare",
      "Encodes texts into shards of tokens: files, directories, globs, JSON Lines, - for standard "
      "input.",
      "INPUT...");
  command.add(config).add(output);
  if (!command.parse(args)) return 0;
  if (command.positionals().empty()) fail_usage("no input is given: name files, directories or globs");
  if (config.out.empty()) fail_usage("--out is missing: give the directory for the shards");
  install_interrupt_handlers();
  if (config.chat) return prepare_chat(config, command.positionals(), output.json);
  const text::TextSourceConfig texts = source_config(config, command.positionals());
  text::TextSource source(texts);
  std::optional<ByteProgress> progress;
  std::uint64_t done = 0;
  const text::PrepareResult result = text::prepare_dataset(
      config, source,
      [&] {
        std::unique_ptr<text::Tokenizer> tokenizer = tokenizer_of(config, texts);
        progress.emplace();  // learning does not count
        return tokenizer;
      },
      [&](const text::PrepareProgress& p) {
        if (!progress) progress.emplace();
        done = p.bytes;
        progress->update(p.bytes, p.total_bytes,
                         train::format_count(static_cast<double>(p.tokens)) + " tokens");
      });
  const double seconds = progress ? progress->seconds() : 0;
  progress.reset();
  if (result.interrupted) {
    log_info("{} is not complete yet: the same command goes on with it", config.out);
    return static_cast<int>(ExitCode::kInterrupted);
  }
  report(result, config.out, seconds, done - std::min(done, result.resumed_at));
  print_record(result, config.out, output.json);
  return 0;
}

}  // namespace vkgpt::cli
