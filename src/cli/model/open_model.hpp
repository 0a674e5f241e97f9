#pragma once

#include <memory>
#include <string>

#include "vkgpt/core/file.hpp"
#include "vkgpt/model/model_directory.hpp"
#include "vkgpt/text/tokenizer/tokenizer.hpp"

namespace vkgpt::cli {

/// A trained model and the tokenizer that belongs to it.
struct OpenModel {
  Path directory;
  model::LoadedModel model;
  std::unique_ptr<text::Tokenizer> tokenizer;
};

/// Opens what `--model` names: a run directory, a checkpoint, or another model directory; with its own
/// tokenizer where `tokenizer` names no other. Throws `Error`.
OpenModel open_model(const std::string& path, bool use_ema, const std::string& tokenizer = {});

/// Refuses a tokenizer with more tokens than its model.
void check_vocabulary(const OpenModel& open);

}  // namespace vkgpt::cli
