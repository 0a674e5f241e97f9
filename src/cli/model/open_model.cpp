#include "cli/model/open_model.hpp"

#include "vkgpt/core/error.hpp"
#include "vkgpt/text/tokenizer/open_tokenizer.hpp"
#include "vkgpt/train/checkpoint.hpp"

namespace vkgpt::cli {

OpenModel open_model(const std::string& path, bool use_ema, const std::string& tokenizer) {
  if (path.empty()) fail_usage("--model is missing: give a run directory or a checkpoint");
  const Path directory = train::find_model_directory(path);
  OpenModel open{
      .directory = directory,
      .model = model::load_model(directory, use_ema),
      .tokenizer = tokenizer.empty() ? text::load_tokenizer(directory) : text::open_tokenizer(tokenizer)};
  check_vocabulary(open);
  return open;
}

void check_vocabulary(const OpenModel& open) {
  // Imported vocabularies may be padded.
  const std::int64_t V = open.model.params.config().vocab_size;
  if (open.tokenizer->vocab_size() > V) {
    fail("{}: the tokenizer has {} tokens, the model only {}", open.directory.string(),
         open.tokenizer->vocab_size(), V);
  }
}

}  // namespace vkgpt::cli
