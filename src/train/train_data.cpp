#include "vkgpt/train/train_data.hpp"

#include <filesystem>
#include <system_error>
#include <utility>

#include "vkgpt/core/error.hpp"
#include "vkgpt/core/format.hpp"
#include "vkgpt/core/log.hpp"
#include "vkgpt/core/utf8.hpp"
#include "vkgpt/text/corpus/chat_data.hpp"
#include "vkgpt/text/corpus/dataset.hpp"
#include "vkgpt/text/corpus/preference_data.hpp"
#include "vkgpt/text/tokenizer/open_tokenizer.hpp"
#include "vkgpt/text/tokenizer/tokenizer_choice.hpp"

namespace vkgpt::train {
namespace {

/// The tokenizer of `directory`. A flag may repeat it but not change it.
std::unique_ptr<text::Tokenizer> fixed_tokenizer(const Path& directory, const std::string& asked) {
  std::unique_ptr<text::Tokenizer> tokenizer = text::load_tokenizer(directory);
  if (!asked.empty() && !text::is_learned({.name = asked}) &&
      text::open_tokenizer(asked)->fingerprint() != tokenizer->fingerprint()) {
    fail_usage("--tokenizer {} is not the one of {}, which stays: leave the flag out", printable(asked),
               printable(directory.string(), 200));
  }
  return tokenizer;
}

std::unique_ptr<text::Tokenizer> learned_or_opened(const TrainConfig& config, const std::string& text) {
  const text::TokenizerChoice choice{.name = config.tokenizer.empty() ? "char" : config.tokenizer,
                                     .bpe_vocab_size = config.bpe_vocab_size};
  return text::make_tokenizer(choice, text::pieces_of(text), config.data_path);
}

TrainData open_shards(const TrainConfig& config, const std::optional<Path>& origin) {
  if (!origin && (config.tokenizer.empty() || text::is_learned({.name = config.tokenizer}))) {
    fail_usage(
        "--memmap_dataset: token files do not say what their tokens mean: give --tokenizer gpt2, byte, a "
        "file or a directory");
  }
  TrainData data{.tokenizer = origin ? fixed_tokenizer(*origin, config.tokenizer)
                                     : text::open_tokenizer(config.tokenizer),
                 .corpus = {},
                 .name = config.memmap_dataset};
  data.corpus =
      text::Corpus::open_shards(config.memmap_dataset, data.tokenizer->vocab_size(), config.val_fraction);
  return data;
}

TrainData open_conversations(const TrainConfig& config, const std::optional<Path>& origin) {
  const bool pairs = config.is_dpo();
  if (!origin && (config.tokenizer.empty() || text::is_learned({.name = config.tokenizer}))) {
    fail_usage("{} holds conversations: give --init_from MODEL, or a tokenizer that is there already",
               printable(config.data_path, 200));
  }
  TrainData data{.tokenizer = origin ? fixed_tokenizer(*origin, config.tokenizer)
                                     : text::open_tokenizer(config.tokenizer),
                 .corpus = {},
                 .name = config.data_path,
                 .conversations = true,
                 .pairs = pairs};
  const Path file = config.data_path;
  const text::ChatDataConfig chat_config{.chat_template = config.chat_template,
                                         .val_fraction = config.val_fraction,
                                         .skip_bad = config.bad_data == "skip",
                                         .time = config.chat_time};
  text::ChatData chat = pairs ? text::read_preference_data({&file, 1}, *data.tokenizer, chat_config)
                              : text::read_chat_data({&file, 1}, *data.tokenizer, chat_config);
  const std::size_t held_out = chat.splits[1].documents.spans.size() / (pairs ? 2 : 1);
  log_info("{}: {}, {} of them for validation", printable(config.data_path, 200),
           pairs ? vkgpt::format("{} pairs of replies", chat.counts.conversations) : chat.counts.text(),
           held_out);
  data.corpus = text::Corpus::of_documents(std::move(chat.splits), data.tokenizer->vocab_size());
  return data;
}

}  // namespace

void check_data_path(const std::string& path) {
  if (path.empty()) {
    fail_usage("no text is given: use --data_path FILE ('vkgpt data get tinyshakespeare' fetches one)");
  }
  std::error_code error;
  const Path data(path);
  if (!std::filesystem::exists(data, error)) fail("text {} does not exist", printable(path, 200));
  if (std::filesystem::is_directory(data, error) && !text::is_dataset(data)) {
    fail("{} is a directory without {}: 'vkgpt data prepare {} --out DIR' makes one with tokens of its texts",
         printable(path, 200), text::kDatasetFile, printable(path, 200));
  }
}

TrainData open_train_data(const TrainConfig& config, const std::optional<Path>& origin) {
  if (config.is_dpo()) {
    std::error_code error;
    if (config.data_path.empty() || std::filesystem::is_directory(config.data_path, error)) {
      fail_usage("--objective dpo reads pairs from a file of JSON Lines: give --data_path FILE");
    }
    return open_conversations(config, origin);
  }
  if (!config.memmap_dataset.empty()) return open_shards(config, origin);
  TrainData data{.tokenizer = {}, .corpus = {}, .name = config.data_path};
  if (text::is_dataset(config.data_path)) {
    data.tokenizer = fixed_tokenizer(origin ? *origin : Path(config.data_path), config.tokenizer);
    data.corpus = text::Corpus::open_dataset(config.data_path, *data.tokenizer);
    data.conversations = data.corpus.has_replies();
    return data;
  }
  if (text::holds_conversations(config.data_path)) return open_conversations(config, origin);
  const std::string text = text::read_text(config.data_path);
  data.tokenizer = origin ? fixed_tokenizer(*origin, config.tokenizer) : learned_or_opened(config, text);
  if (config.special) data.tokenizer->find_special_names();
  data.corpus = text::Corpus::encode(text, *data.tokenizer, config.val_fraction, config.data_path);
  return data;
}

}  // namespace vkgpt::train
