#include <algorithm>
#include <format>
#include <memory>
#include <optional>
#include <print>
#include <string>
#include <vector>

#include "vkgpt/core/error.hpp"
#include "vkgpt/core/interrupt.hpp"
#include "vkgpt/core/units.hpp"
#include "vkgpt/core/utf8.hpp"
#include "vkgpt/text/corpus/dataset.hpp"
#include "vkgpt/text/corpus/token_file.hpp"
#include "vkgpt/text/corpus/token_view.hpp"
#include "vkgpt/text/tokenizer/open_tokenizer.hpp"
#include "vkgpt/text/tokenizer/tokenizer_choice.hpp"

#include "cli/command/command_line.hpp"
#include "cli/data/data_commands.hpp"

namespace vkgpt::cli {
namespace {

struct DataInfoOptions {
  bool verify = false;
  std::string tokenizer;

  template <typename Visitor, typename Self>
  static void visit_fields(Visitor&& visit, Self& self) {
    constexpr auto kGroup = "What to show";
    visit(FieldInfo{.name = "verify", .group = kGroup, .help = "Read all shards: checksums, tokens in range"},
          self.verify);
    visit(FieldInfo{.name = "tokenizer",
                    .group = kGroup,
                    .help = "For files without one: gpt2, byte, a file or directory"},
          self.tokenizer);
  }
};

/// Reads a file from end to end, in pieces. Throws `Error` for a token beyond the vocabulary.
void check_all_tokens(const text::TokenFile& file, std::int64_t vocab_size) {
  const text::TokenPiece piece = text::whole(file);
  const text::TokenView view(std::span(&piece, 1), vocab_size);
  std::vector<text::Token> part;
  for (std::size_t at = 0; at < view.size(); at += part.size()) {
    part.resize(std::min<std::size_t>(view.size() - at, 1 << 20));
    view.copy(at, part);
    if (interrupted()) throw Error("interrupted", ExitCode::kInterrupted);
  }
}

std::string sample_of(const text::TokenFile& file, const text::Tokenizer& tokenizer) {
  const text::TokenPiece piece = text::whole(file);
  std::vector<text::Token> tokens(std::min<std::size_t>(file.size(), 64));
  text::TokenView(std::span(&piece, 1), tokenizer.vocab_size()).copy(0, tokens);
  return printable(tokenizer.decode(tokens), 100);
}

void describe_file(const Path& path, const text::Tokenizer* tokenizer, bool verify) {
  const text::TokenFile file(path);
  std::print("{}: {}, {} tokens, {}\n", printable(path.string(), 200), file.format(), file.size(),
             format_bytes(file.bytes()));
  if (verify) {
    if (tokenizer == nullptr)
      fail_usage("--verify of a token file needs --tokenizer: which tokens are there?");
    check_all_tokens(file, tokenizer->vocab_size());
    std::print("  all tokens are below {}\n", tokenizer->vocab_size());
  }
  if (tokenizer != nullptr && file.size() > 0) std::print("  \"{}\"\n", sample_of(file, *tokenizer));
}

void verify_shard(const text::TokenFile& file, const text::DatasetShard& shard, std::int64_t vocab_size) {
  if (const std::string found = sha256_file(file.path()); found != shard.sha256) {
    fail("{}: its sha256 is {}..., {} says {}...: it is damaged", file.path().string(), found.substr(0, 12),
         text::kDatasetFile, shard.sha256.substr(0, 12));
  }
  check_all_tokens(file, vocab_size);
}

void describe_dataset(const Path& directory, bool verify) {
  const text::DatasetManifest manifest = text::read_dataset_manifest(directory);
  const std::unique_ptr<text::Tokenizer> tokenizer = text::load_tokenizer(directory);
  if (tokenizer->fingerprint() != manifest.tokenizer) {
    fail("{}: its tokenizer files are not those that the data was made with",
         printable(directory.string(), 200));
  }
  std::print("{}: vocabulary {}, tokenizer {}...\n", printable(directory.string(), 200), manifest.vocab_size,
             manifest.tokenizer.substr(0, 12));
  std::string sample;
  for (std::size_t i = 0; i < text::kSplitNames.size(); ++i) {
    const text::DatasetSplit& split = manifest.splits[i];
    std::print(
        "  {:<6} {} tokens in {} shards, {} documents, {} of text ({:.2f} bytes per token)\n",
        text::kSplitNames[i], split.tokens, split.shards.size(), split.documents, format_bytes(split.bytes),
        split.tokens == 0 ? 0.0 : static_cast<double>(split.bytes) / static_cast<double>(split.tokens));
    for (const text::DatasetShard& shard : split.shards) {
      const text::TokenFile file(directory / shard.file);
      if (file.size() != shard.tokens) {
        fail("{} has {} tokens, {} says {}: it is damaged", file.path().string(), file.size(),
             text::kDatasetFile, shard.tokens);
      }
      if (verify) verify_shard(file, shard, manifest.vocab_size);
      if (sample.empty() && file.size() > 0) sample = sample_of(file, *tokenizer);
    }
  }
  if (verify) std::print("  all checksums are right, all tokens are in the vocabulary\n");
  std::print("  \"{}\"\n", sample);
}

}  // namespace

int run_data_info(std::span<const std::string> args) {
  DataInfoOptions options;
  CommandLine command("data info", "Describes prepared data and token files.", "DIR|FILE...");
  command.add(options);
  if (!command.parse(args)) return 0;
  if (command.positionals().empty()) fail_usage("expected 'vkgpt data info DIR|FILE...'");
  install_interrupt_handlers();
  std::unique_ptr<text::Tokenizer> tokenizer;
  if (!options.tokenizer.empty()) {
    tokenizer = text::make_tokenizer({.name = options.tokenizer}, {}, options.tokenizer);
  }
  for (const std::string& word : command.positionals()) {
    if (text::is_dataset(word)) {
      describe_dataset(word, options.verify);
    } else {
      describe_file(word, tokenizer.get(), options.verify);
    }
  }
  return 0;
}

}  // namespace vkgpt::cli
