#pragma once

#include "vkgpt/core/config_field.hpp"
#include "vkgpt/model/gpt_config.hpp"
#include "vkgpt/train/train_config.hpp"

#include "cli/command/presets.hpp"
#include "cli/run_options.hpp"

namespace vkgpt::cli {

/// What a configuration of `vkgpt train` may set.
struct TrainSettings {
  PresetOptions preset;
  model::GptConfig model;
  train::TrainConfig train;
  RunOptions run;
  FieldSet fields;

  TrainSettings() {
    fields.add(preset);
    fields.add(model);
    fields.add(train);
    fields.add(run);
  }
  TrainSettings(const TrainSettings&) = delete;
  TrainSettings& operator=(const TrainSettings&) = delete;
};

}  // namespace vkgpt::cli
