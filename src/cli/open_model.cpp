#include "vkgpt/cli/open_model.hpp"

#include <utility>

#include "vkgpt/core/error.hpp"
#include "vkgpt/train/checkpoint.hpp"

namespace vkgpt::cli {

OpenModel open_model(const std::string& path, bool use_ema) {
  if (path.empty()) fail_usage("--model is missing: give a run directory or a checkpoint");
  Path directory = train::find_model_directory(path);
  model::LoadedModel model = model::load_model(directory, use_ema);
  std::unique_ptr<text::Tokenizer> tokenizer = text::load_tokenizer(directory);
  const std::int64_t V = model.params.config().vocab_size;
  // Imported vocabularies may be padded.
  if (tokenizer->vocab_size() > V) {
    fail("{}: the tokenizer has {} tokens, the model only {}", directory.string(), tokenizer->vocab_size(),
         V);
  }
  return {.directory = std::move(directory), .model = std::move(model), .tokenizer = std::move(tokenizer)};
}

}  // namespace vkgpt::cli
