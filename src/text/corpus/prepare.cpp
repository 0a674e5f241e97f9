#include "vkgpt/text/corpus/prepare.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <filesystem>
#include <memory>
#include <optional>
#include <string_view>
#include <system_error>
#include <utility>

#include "vkgpt/core/directory_lock.hpp"
#include "vkgpt/core/error.hpp"
#include "vkgpt/core/format.hpp"
#include "vkgpt/core/interrupt.hpp"
#include "vkgpt/core/log.hpp"
#include "vkgpt/core/utf8.hpp"
#include "vkgpt/text/corpus/text_cutter.hpp"
#include "vkgpt/text/corpus/token_file.hpp"
#include "vkgpt/text/tokenizer/open_tokenizer.hpp"

#include "text/corpus/encode_pipeline.hpp"
#include "text/corpus/prepare_journal.hpp"

namespace vkgpt::text {
namespace {

constexpr std::uint64_t kJournalBytes = std::uint64_t{256} << 20;  // of inputs between two of its states

nlohmann::ordered_json settings_of(const PrepareConfig& config, const TextSource& source) {
  nlohmann::ordered_json inputs = nlohmann::ordered_json::array();
  for (const TextInput& input : source.inputs()) {
    inputs.push_back(input_setting(input.path, input.bytes));
  }
  nlohmann::ordered_json settings = {{"tokenizer", config.tokenizer},
                                     {"bpe_vocab_size", config.bpe_vocab_size},
                                     {"shard_tokens", config.shard_tokens},
                                     {"val_fraction", config.val_fraction},
                                     {"text_field", config.text_field},
                                     {"input_format", config.input_format},
                                     {"document_separator", config.document_separator},
                                     {"special", config.special},
                                     {"inputs", std::move(inputs)}};
  // Data sets of versions without it go on.
  if (config.skip_bad_lines) settings["skip_bad_lines"] = true;
  return settings;
}

void check_settings(const Json& there, const nlohmann::ordered_json& asked, const std::string& out) {
  const std::string other = settings_difference(there, asked);
  if (other.empty()) return;
  fail_usage("{} holds a data set with other {}: choose another --out, or remove it", out, other);
}

void refuse_foreign(const Path& out) {
  std::error_code error;
  if (!std::filesystem::is_directory(out, error)) return;
  for (const Path& path : list_directory(out)) {
    if (path.extension() == ".bin" || path.extension() == ".part" || path.filename() == kTokenizerFile) {
      fail_usage("{} holds a {} already: choose another --out", out.string(), path.filename().string());
    }
  }
}

/// Few plain text files give their ends to validation; bytes that continue a character stay with it.
void cut_files(TextSource& source, const PrepareConfig& config) {
  const double val_fraction = config.val_fraction;
  const auto plain = std::ranges::count(source.inputs(), false, &TextInput::json_lines);
  if (val_fraction == 0 || static_cast<std::size_t>(plain) >= kManyTextFiles ||
      !config.document_separator.empty()) {
    return;
  }
  for (std::size_t i = 0; i < source.inputs().size(); ++i) {
    const TextInput& input = source.inputs()[i];
    if (input.json_lines) continue;
    if (!input.bytes) {
      fail_usage(
          "the length of standard input is not known in advance, so its end cannot be kept for validation: "
          "--val_fraction 0, or --input_format jsonl");
    }
    auto cut = static_cast<std::uint64_t>(static_cast<double>(*input.bytes) * (1.0 - val_fraction));
    if (cut < *input.bytes) cut = source.character_begin(i, cut);
    if (cut > 0 && cut < *input.bytes) source.cut(i, cut);
  }
}

/// Reads jobs off the source.
class JobReader {
 public:
  JobReader(TextSource& source, const Tokenizer& tokenizer, const PrepareConfig& config,
            const JournalState& state)
      : source_(source),
        cutter_(source, [&tokenizer](std::string_view text) { return tokenizer.safe_prefix(text); }),
        val_fraction_(config.val_fraction),
        separated_(!config.document_separator.empty()),
        in_document_(state.in_document),
        split_(state.split) {}

  std::optional<EncodeJob> next() {
    EncodeJob job;
    std::size_t bytes = 0;
    while (bytes < kJobBytes) {
      std::optional<TextPiece> piece = cutter_.next();
      if (!piece) break;
      bytes += piece->text.size();
      job.input = piece->input;
      job.offset = piece->offset;
      if (!in_document_) split_ = split_of(*piece);
      const bool continues = std::exchange(in_document_, !piece->ends_document);
      job.parts.push_back({.text = std::move(piece->text),
                           .split = split_,
                           .ends_document = piece->ends_document,
                           .continues = continues});
    }
    if (job.parts.empty()) return std::nullopt;
    job.place = vkgpt::format("{}, before byte {}", printable(source_.inputs()[job.input].path.string(), 200),
                              job.offset);
    return job;
  }

 private:
  std::size_t split_of(const TextPiece& piece) const {
    const TextInput& input = source_.inputs()[piece.input];
    const bool validation = input.cut > 0
                                ? piece.offset > input.cut
                                : piece_is_drawn(input) && draw_validation(piece.text, val_fraction_);
    return validation ? kValidationSplit : kTrainSplit;
  }
  bool piece_is_drawn(const TextInput& input) const {
    return input.json_lines || separated_ || source_.inputs().size() >= kManyTextFiles;
  }

  TextSource& source_;
  TextCutter cutter_;
  double val_fraction_;
  bool separated_;
  bool in_document_;
  std::size_t split_;
};

/// The shards of both splits as they grow.
class ShardWriters {
 public:
  ShardWriters(Path directory, int token_bytes, std::uint64_t shard_tokens, JournalState& state)
      : directory_(std::move(directory)),
        token_bytes_(token_bytes),
        shard_tokens_(shard_tokens),
        state_(state) {
    for (std::size_t split = 0; split < open_.size(); ++split) {
      restore_shards(directory_, split, state.splits[split].shards.size());
      if (state.open_tokens[split] > 0) {
        open_[split] =
            std::make_unique<TokenFileWriter>(path_of(split), token_bytes_, state.open_tokens[split]);
      }
    }
  }

  /// Whether a shard was finished.
  bool append(std::size_t split, std::span<const Token> tokens) {
    bool finished = false;
    while (!tokens.empty()) {
      if (!open_[split]) open_[split] = std::make_unique<TokenFileWriter>(path_of(split), token_bytes_);
      const std::size_t count = std::min<std::uint64_t>(tokens.size(), shard_tokens_ - open_[split]->size());
      open_[split]->append(tokens.first(count));
      state_.open_tokens[split] += count;
      state_.splits[split].tokens += count;
      tokens = tokens.subspan(count);
      if (open_[split]->size() == shard_tokens_) {
        finish(split);
        finished = true;
      }
    }
    return finished;
  }

  void sync() {
    for (const auto& writer : open_) {
      if (writer) writer->sync();
    }
  }

  void finish_all() {
    for (std::size_t split = 0; split < open_.size(); ++split) {
      if (open_[split]) finish(split);
    }
  }

 private:
  Path path_of(std::size_t split) const {
    return directory_ / shard_name(split, state_.splits[split].shards.size());
  }

  void finish(std::size_t split) {
    const std::uint64_t tokens = open_[split]->size();
    const std::string name = path_of(split).filename().string();
    std::string hash = open_[split]->finish();
    open_[split].reset();
    state_.open_tokens[split] = 0;
    state_.splits[split].shards.push_back({.file = name, .tokens = tokens, .sha256 = std::move(hash)});
  }

  Path directory_;
  int token_bytes_;
  std::uint64_t shard_tokens_;
  JournalState& state_;
  std::array<std::unique_ptr<TokenFileWriter>, 2> open_;
};

void count_job(const EncodeJob& job, JournalState& state) {
  for (const TextPart& part : job.parts) {
    state.splits[part.split].bytes += part.text.size();
    state.splits[part.split].documents += part.ends_document ? 1 : 0;
  }
  state.input = job.input;
  state.offset = job.offset;
  state.in_document = !job.parts.back().ends_document;
  state.split = job.parts.back().split;
}

std::uint64_t bytes_before(const TextSource& source, const JournalState& state) {
  std::uint64_t sum = state.offset;
  for (std::size_t i = 0; i < state.input; ++i) sum += source.inputs()[i].bytes.value_or(0);
  return sum;
}

/// Encodes from `state` on; false when a signal arrived. The journal follows.
bool encode_rest(const PrepareConfig& config, TextSource& source, const Tokenizer& tokenizer,
                 Journal& journal, const std::function<void(const PrepareProgress&)>& on_progress) {
  JournalState& state = journal.state;
  source.seek(state.input, state.offset);
  ShardWriters shards(config.out, token_bytes(tokenizer.vocab_size()),
                      static_cast<std::uint64_t>(config.shard_tokens), state);
  JobReader reader(source, tokenizer, config, state);
  std::uint64_t saved_at = bytes_before(source, state);
  bool going = true;
  {
    EncodePipeline pipeline(tokenizer, [&] { return reader.next(); }, static_cast<unsigned>(config.threads));
    while (going) {
      const std::optional<EncodeJob> job = pipeline.take();
      if (!job) break;
      bool finished = false;
      for (std::size_t split = 0; split < job->tokens.size(); ++split) {
        finished |= shards.append(split, job->tokens[split]);
      }
      count_job(*job, state);
      const std::uint64_t done = bytes_before(source, state);
      on_progress({.bytes = done,
                   .total_bytes = source.total_bytes(),
                   .tokens = state.splits[0].tokens + state.splits[1].tokens});
      going = !interrupted();
      if (finished || !going || done - saved_at >= kJournalBytes) {
        shards.sync();
        journal.write(config.out);
        saved_at = done;
      }
    }
  }
  if (going) shards.finish_all();
  return going;
}

}  // namespace

bool draw_validation(std::string_view text, double val_fraction) {
  std::uint64_t hash = 0xcbf29ce484222325;  // FNV-1a, then the finalizer of SplitMix64
  for (const char c : text.substr(0, 4096)) {
    hash = (hash ^ static_cast<unsigned char>(c)) * 0x100000001b3;
  }
  hash = (hash ^ (hash >> 30)) * 0xbf58476d1ce4e5b9;
  hash = (hash ^ (hash >> 27)) * 0x94d049bb133111eb;
  hash ^= hash >> 31;
  return static_cast<double>(hash >> 11) * 0x1p-53 < val_fraction;
}

PrepareResult prepare_dataset(const PrepareConfig& config, TextSource& source,
                              const MakeTokenizer& make_tokenizer,
                              const std::function<void(const PrepareProgress&)>& on_progress) {
  const Path out = config.out;
  const nlohmann::ordered_json settings = settings_of(config, source);
  PrepareResult result;
  if (is_dataset(out)) {
    result.manifest = read_dataset_manifest(out);
    check_settings(Json::parse(result.manifest.settings.dump()), settings, config.out);
    Journal::remove(out);
    result.was_there = true;
    return result;
  }
  cut_files(source, config);
  constexpr std::string_view kWork = "preparing data in";
  std::error_code ignored;
  std::optional<DirectoryLock> lock;
  if (std::filesystem::is_directory(out, ignored)) lock.emplace(out, kWork);
  std::optional<Journal> journal = Journal::read(out);
  std::unique_ptr<Tokenizer> tokenizer;
  if (journal) {
    check_settings(journal->settings, settings, config.out);
    if (journal->state.input >= source.inputs().size())
      fail("{}: {} names an input that is not there", config.out, Journal::kFile);
    if (std::filesystem::exists(out / kTokenizerFile, ignored)) tokenizer = load_tokenizer(out);
  } else {
    refuse_foreign(out);
  }
  if (!tokenizer) tokenizer = make_tokenizer();
  if (!journal) {
    make_directories(out);
    if (!lock) lock.emplace(out, kWork);
    journal.emplace(Journal{
        .settings = Json::parse(settings.dump()), .tokenizer = tokenizer->fingerprint(), .state = {}});
    journal->write(out);
  }
  if (journal->tokenizer != tokenizer->fingerprint()) {
    fail(
        "{}: its tokenizer is not the one that the preparation began with: remove the directory and start "
        "again",
        config.out);
  }
  write_tokenizer_files(*tokenizer, out);
  result.resumed_at = bytes_before(source, journal->state);
  if (config.special) tokenizer->find_special_names();
  result.interrupted = !encode_rest(config, source, *tokenizer, *journal, on_progress);
  if (source.skipped_lines() > 0) log_warning("{} lines were passed over", source.skipped_lines());
  result.manifest = {.tokenizer = journal->tokenizer,
                     .vocab_size = tokenizer->vocab_size(),
                     .settings = settings,
                     .splits = journal->state.splits};
  if (result.interrupted) return result;
  if (result.manifest.splits[kTrainSplit].tokens == 0)
    fail("{}: no training tokens: the inputs hold no text", config.out);
  write_dataset_manifest(out, result.manifest);
  Journal::remove(out);
  return result;
}

}  // namespace vkgpt::text
