#include <algorithm>
#include <filesystem>
#include <memory>
#include <optional>
#include <system_error>
#include <utility>

#include "vkgpt/core/directory_lock.hpp"
#include "vkgpt/core/error.hpp"
#include "vkgpt/core/format.hpp"
#include "vkgpt/core/interrupt.hpp"
#include "vkgpt/core/log.hpp"
#include "vkgpt/text/corpus/chat_data.hpp"
#include "vkgpt/text/corpus/prepare.hpp"
#include "vkgpt/text/tokenizer/open_tokenizer.hpp"

#include "text/corpus/mark_file.hpp"
#include "text/corpus/prepare_journal.hpp"

namespace vkgpt::text {
namespace {

nlohmann::ordered_json settings_of(const PrepareConfig& config, std::span<const Path> files) {
  nlohmann::ordered_json inputs = nlohmann::ordered_json::array();
  for (const Path& file : files) inputs.push_back(input_setting(file, InputFile(file).size()));
  return {{"chat", true},
          {"template", config.chat_template},
          {"bad_data", config.bad_data},
          {"tokenizer", config.tokenizer},
          {"shard_tokens", config.shard_tokens},
          {"val_fraction", config.val_fraction},
          {"inputs", std::move(inputs)}};
}

bool is_ours(const Path& path) {
  const std::string extension = path.extension().string();
  return extension == ".bin" || extension == ".part" || extension == ".marks";
}

/// Makes room: what a killed preparation of the same conversations left is removed, other data are refused.
void clear(const PrepareConfig& config, const nlohmann::ordered_json& settings) {
  std::error_code error;
  const Path out = config.out;
  if (!std::filesystem::is_directory(out, error)) return make_directories(out);
  const std::optional<Journal> journal = Journal::read(out);
  const bool is_same = journal && settings_difference(journal->settings, settings).empty();
  for (const Path& path : list_directory(out)) {
    if (!is_ours(path)) continue;
    if (!is_same) {
      fail_usage("{} holds a {} already: choose another --out", config.out, path.filename().string());
    }
    std::filesystem::remove(path, error);
  }
}

DatasetSplit write_split(const PrepareConfig& config, std::size_t split, const TokenizedDocuments& data,
                         int bytes) {
  DatasetSplit result{
      .tokens = data.tokens.size(), .documents = data.documents.spans.size(), .bytes = 0, .shards = {}};
  const auto most = static_cast<std::size_t>(config.shard_tokens);
  for (std::size_t first = 0; first < data.tokens.size(); first += most) {
    if (interrupted()) throw Error("interrupted while shards were written", ExitCode::kInterrupted);
    const std::size_t count = std::min(most, data.tokens.size() - first);
    const std::string name = shard_name(split, result.shards.size());
    TokenFileWriter writer(Path(config.out) / name, bytes);
    writer.append(std::span(data.tokens).subspan(first, count));
    std::string hash = writer.finish();
    std::string marks = write_marks(Path(config.out) / mark_file_name(name), data.documents, first, count);
    result.shards.push_back(
        {.file = name, .tokens = count, .sha256 = std::move(hash), .marks_sha256 = std::move(marks)});
  }
  return result;
}

}  // namespace

PrepareResult prepare_chat_dataset(const PrepareConfig& config, std::span<const Path> files,
                                   const Tokenizer& tokenizer) {
  const nlohmann::ordered_json settings = settings_of(config, files);
  PrepareResult result;
  if (is_dataset(config.out)) {
    result.manifest = read_dataset_manifest(config.out);
    const std::string other = settings_difference(Json::parse(result.manifest.settings.dump()), settings);
    if (!other.empty()) {
      fail_usage("{} holds a data set with other {}: choose another --out, or remove it", config.out, other);
    }
    result.was_there = true;
    return result;
  }
  ChatData data = read_chat_data(files, tokenizer,
                                 {.chat_template = config.chat_template,
                                  .val_fraction = config.val_fraction,
                                  .skip_bad = config.bad_data == "skip"});
  clear(config, settings);
  const DirectoryLock lock(config.out, "preparing data in");
  Journal journal{
      .settings = Json::parse(settings.dump()), .tokenizer = tokenizer.fingerprint(), .state = {}};
  journal.write(config.out);
  write_tokenizer_files(tokenizer, config.out);
  const int bytes = token_bytes(tokenizer.vocab_size());
  result.manifest = {.tokenizer = tokenizer.fingerprint(),
                     .vocab_size = tokenizer.vocab_size(),
                     .settings = settings,
                     .splits = {write_split(config, 0, data.splits[0], bytes),
                                write_split(config, 1, data.splits[1], bytes)}};
  write_dataset_manifest(config.out, result.manifest);
  Journal::remove(config.out);
  log_info("{}: {}", config.out, data.counts.text());
  return result;
}

}  // namespace vkgpt::text
