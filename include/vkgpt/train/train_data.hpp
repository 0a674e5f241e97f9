#pragma once

#include <memory>
#include <optional>
#include <string>

#include "vkgpt/core/file.hpp"
#include "vkgpt/text/corpus/corpus.hpp"
#include "vkgpt/text/tokenizer/tokenizer.hpp"
#include "vkgpt/train/train_config.hpp"

namespace vkgpt::train {

/// What a model learns from, in the tokens that it knows.
struct TrainData {
  std::unique_ptr<text::Tokenizer> tokenizer;
  text::Corpus corpus;
  std::string name;            ///< for messages
  bool conversations = false;  ///< of which the corpus knows the replies
  bool pairs = false;          ///< documents 2k and 2k + 1 are a chosen and a rejected reply
};

/// Refuses, before anything is read, what is neither a text nor prepared data.
void check_data_path(const std::string& path);

/// Opens what --data_path or --memmap_dataset names. `origin` is the directory of the model that is
/// continued, whose tokenizer rules; throws `Error` for data of another one, and usage errors for flags that
/// contradict each other.
TrainData open_train_data(const TrainConfig& config, const std::optional<Path>& origin);

}  // namespace vkgpt::train
