#pragma once

#include <memory>
#include <optional>
#include <string>

#include "vkgpt/core/file.hpp"
#include "vkgpt/model/adapter.hpp"
#include "vkgpt/model/model_directory.hpp"
#include "vkgpt/model/param_source.hpp"
#include "vkgpt/text/tokenizer/tokenizer.hpp"

namespace vkgpt::cli {

/// A trained model and the tokenizer that belongs to it.
struct OpenModel {
  Path directory;
  model::LoadedModel model;
  std::unique_ptr<text::Tokenizer> tokenizer;
};

/// Where the model that `--model` names is; where `path` is empty, that of the adapters in this directory, or
/// empty. Throws `Error`.
Path directory_of_model(const std::string& path, const Path& adapters);

/// Opens what `--model` names: a run directory, a checkpoint, or another model directory; with its own
/// tokenizer where `tokenizer` names no other. Throws `Error`.
OpenModel open_model(const std::string& path, bool use_ema, const std::string& tokenizer = {});

/// The same with the changes of adapters made (see `model::open_adapter`), of the model that they name where
/// `path` is empty.
OpenModel open_model(const std::string& path, bool use_ema, const std::string& tokenizer,
                     const std::string& adapter);

/// A model whose weights are read when they are asked for, so that no more than a part of them is in memory.
struct ModelSource {
  Path directory;
  model::GptParams params;  // nothing frozen, no adapters
  std::unique_ptr<model::ParamSource> weights;
  std::unique_ptr<text::Tokenizer> tokenizer;
  std::optional<model::Adapter> adapter;  // to be used beside the weights

  const model::Adapter* chosen_adapter() const { return adapter ? &*adapter : nullptr; }
};

/// Opens what --model and --adapter name; of adapters that say where their model is, that one where --model
/// is empty. Throws `Error`.
ModelSource open_model_source(const std::string& path, const std::string& adapter, bool use_ema,
                              const std::string& tokenizer = {});

/// Refuses a tokenizer with more tokens than its model.
void check_vocabulary(const Path& directory, const text::Tokenizer& tokenizer,
                      const model::GptConfig& config);

}  // namespace vkgpt::cli
