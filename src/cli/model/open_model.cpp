#include "cli/model/open_model.hpp"

#include <utility>

#include "vkgpt/core/error.hpp"
#include "vkgpt/core/utf8.hpp"
#include "vkgpt/model/adapter_files.hpp"
#include "vkgpt/model/base_directory.hpp"
#include "vkgpt/model/gguf_import.hpp"
#include "vkgpt/text/tokenizer/open_tokenizer.hpp"
#include "vkgpt/train/checkpoint.hpp"

namespace vkgpt::cli {
namespace {

std::unique_ptr<text::Tokenizer> tokenizer_of(const Path& directory, const std::string& name) {
  return name.empty() ? text::load_tokenizer(directory) : text::open_tokenizer(name);
}

[[noreturn]] void fail_without_model() {
  fail_usage("--model is missing: give a run directory or a checkpoint");
}

}  // namespace

Path directory_of_model(const std::string& path, const Path& adapters) {
  if (!path.empty()) return train::find_model_directory(path);
  if (adapters.empty()) fail_without_model();
  if (!model::is_gguf(adapters)) return model::base_of_adapters(adapters);
  fail_usage("--model is missing: {} does not say where the model of its adapters is",
             printable(adapters.string(), 200));
}

OpenModel open_model(const std::string& path, bool use_ema, const std::string& tokenizer) {
  if (path.empty()) fail_without_model();
  const Path directory = train::find_model_directory(path);
  OpenModel open{.directory = directory,
                 .model = model::load_model(directory, use_ema),
                 .tokenizer = tokenizer_of(directory, tokenizer)};
  check_vocabulary(directory, *open.tokenizer, open.model.params.config());
  return open;
}

OpenModel open_model(const std::string& path, bool use_ema, const std::string& tokenizer,
                     const std::string& adapter) {
  if (adapter.empty()) return open_model(path, use_ema, tokenizer);
  const Path adapters = train::find_model_directory(adapter);
  const Path directory = directory_of_model(path, adapters);
  OpenModel open = open_model(directory.string(), use_ema, tokenizer);
  // Adapters that lie beside their model were merged when it was read.
  if (path.empty() && directory == adapters) return open;
  const model::GptParams& params = open.model.params;
  model::merge_adapter(model::open_adapter(adapters, params), params, open.model.arena);
  return open;
}

ModelSource open_model_source(const std::string& path, const std::string& adapter, bool use_ema,
                              const std::string& tokenizer) {
  const Path adapters = adapter.empty() ? Path() : train::find_model_directory(adapter);
  const Path directory = directory_of_model(path, adapters);
  ModelSource open{.directory = directory,
                   .params = model::GptParams(model::read_model_config(directory)),
                   .weights = path.empty() ? model::open_base_params(directory)
                                           : model::open_model_params(directory, use_ema),
                   .tokenizer = tokenizer_of(directory, tokenizer),
                   .adapter = {}};
  if (!adapter.empty()) open.adapter = model::open_adapter(adapters, open.params);
  check_vocabulary(directory, *open.tokenizer, open.params.config());
  return open;
}

void check_vocabulary(const Path& directory, const text::Tokenizer& tokenizer,
                      const model::GptConfig& config) {
  // Imported vocabularies may be padded.
  if (tokenizer.vocab_size() > config.vocab_size) {
    fail("{}: the tokenizer has {} tokens, the model only {}", directory.string(), tokenizer.vocab_size(),
         config.vocab_size);
  }
}

}  // namespace vkgpt::cli
