#include "vkgpt/train/resume.hpp"

#include <cmath>

#include "vkgpt/core/error.hpp"
#include "vkgpt/core/log.hpp"
#include "vkgpt/model/adapter_config.hpp"
#include "vkgpt/model/gpt_params.hpp"
#include "vkgpt/model/hf_config.hpp"
#include "vkgpt/model/model_directory.hpp"
#include "vkgpt/train/init_adapter.hpp"
#include "vkgpt/train/plan_options.hpp"

namespace vkgpt::train {
namespace {

TrainerState read_state(const Checkpoint& checkpoint) {
  const Path file = checkpoint.directory / kTrainerStateFile;
  return trainer_state_from_json(read_file(file), file.string());
}

/// Refuses settings that give other adapters than the checkpoint has.
void check_adapters(const Path& directory, const model::GptConfig& model, const TrainConfig& config) {
  const model::Adaptation wanted = adaptation(config);
  const model::Adaptation found = model::read_adaptation(directory, model::hf_layout(model));
  if (wanted.lora_rank != found.lora_rank) {
    fail_usage("lora_rank = {}: {} has {}", wanted.lora_rank, directory.string(), found.lora_rank);
  }
  constexpr double kRounding = 1e-9;
  if (wanted.lora_rank > 0 &&
      std::abs(wanted.lora_scale() - found.lora_scale()) > kRounding * found.lora_scale()) {
    fail_usage("lora_alpha = {} scales by {:.6g}: {} has {:.6g}", config.lora_alpha, wanted.lora_scale(),
               directory.string(), found.lora_scale());
  }
  if (wanted.lora_rank > 0 && !same_layers(model, wanted, found)) {
    fail_usage("lora_targets = {}: {} has adapters of other layers", config.lora_targets, directory.string());
  }
}

}  // namespace

TrainerState resume_state(const Checkpoint& checkpoint, const model::GptConfig& model_config,
                          const TrainConfig& config, const text::Corpus& corpus) {
  const std::string directory = checkpoint.directory.string();
  if (model::read_model_config(checkpoint.directory) != model_config) {
    fail_usage(
        "{} holds a model of another shape than the flags ask for: resume with the flags it was trained with",
        directory);
  }
  check_adapters(checkpoint.directory, model_config, config);
  TrainerState state = read_state(checkpoint);
  if (state.seed != config.seed) {
    fail_usage("{} was trained with --seed {}, not {}", directory, state.seed, config.seed);
  }
  // Checkpoints of older versions do not say what they were trained on, or what was kept for validation.
  const std::uint64_t val_tokens = corpus.validation().size();
  const bool other_data = !state.data_sha256.empty() && state.data_sha256 != corpus.fingerprint();
  if (other_data || state.val_tokens.value_or(val_tokens) != val_tokens) {
    if (other_data && !config.allow_other_data) {
      fail_usage(
          "{} was trained on other data than {}: give that of the run, or --allow_other_data to go on with "
          "this",
          directory, config.memmap_dataset.empty() ? config.data_path : config.memmap_dataset);
    }
    state.best_val_loss.reset();
    state.best_step = 0;
  }
  state.data_sha256 = corpus.fingerprint();
  state.val_tokens = val_tokens;
  return state;
}

TrainConfig with_settled_batch_size(TrainConfig config, const model::GptConfig& model_config,
                                    const std::optional<Checkpoint>& checkpoint, const vk::Target& target,
                                    const model::RankOptions& ranks) {
  if (config.batch_size > 0) return config;
  const model::GptParams params(model_config, adaptation(config));
  config.batch_size =
      checkpoint ? read_state(*checkpoint).batch_size : resolve_batch_size(params, config, target, ranks);
  log_info("batch size: {}", config.batch_size);
  return config;
}

}  // namespace vkgpt::train
