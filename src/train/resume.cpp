#include "vkgpt/train/resume.hpp"

#include "vkgpt/core/error.hpp"
#include "vkgpt/model/model_directory.hpp"

namespace vkgpt::train {

TrainerState resume_state(const Checkpoint& checkpoint, const model::GptConfig& model_config,
                          const TrainConfig& config, const std::string& data_sha256) {
  const std::string directory = checkpoint.directory.string();
  if (model::read_model_config(checkpoint.directory) != model_config) {
    fail_usage(
        "{} holds a model of another shape than the flags ask for: resume with the flags it was trained with",
        directory);
  }
  const Path file = checkpoint.directory / kTrainerStateFile;
  TrainerState state = trainer_state_from_json(read_file(file), file.string());
  if (state.seed != config.seed) {
    fail_usage("{} was trained with --seed {}, not {}", directory, state.seed, config.seed);
  }
  // Checkpoints of older versions do not say what they were trained on.
  if (!state.data_sha256.empty() && state.data_sha256 != data_sha256) {
    if (!config.allow_other_data) {
      fail_usage(
          "{} was trained on other data than {}: give that of the run, or --allow_other_data to go on with "
          "this",
          directory, config.memmap_dataset.empty() ? config.data_path : config.memmap_dataset);
    }
    state.best_val_loss.reset();
    state.best_step = 0;
  }
  state.data_sha256 = data_sha256;
  return state;
}

}  // namespace vkgpt::train
