#include "vkgpt/train/train_config.hpp"

#include "vkgpt/core/error.hpp"

namespace vkgpt::train {
namespace {

void validate_rounds(const TrainConfig& config) {
  if (config.outer_bits != 32 && config.outer_bits != 8 && config.outer_bits != 4) {
    fail_usage("--outer_bits {}: 32, 8 or 4", config.outer_bits);
  }
  if (config.outer_momentum < 0 && config.outer_momentum != -1) {
    fail_usage("--outer_momentum {}: from 0 to below 1, or -1 for what fits the number of rounds",
               config.outer_momentum);
  }
  if (!config.is_diloco()) return;
  if (config.ema) fail_usage("--ema averages the weights of every step, --sync diloco has none in common");
  if (config.sum_order != "rank" || config.wire != "f32" || config.balance != "even") {
    fail_usage("--sum_order, --wire and --balance are of steps taken together, not of --sync diloco");
  }
}

/// Adapters, and the base that they are trained on.
void validate_base(const TrainConfig& config) {
  const std::string& type = config.base_dtype;
  const bool adapts = config.lora_rank > 0 || !config.init_adapter.empty();
  if (!config.init_adapter.empty() && config.init_from.empty()) {
    fail_usage("--init_adapter without --init_from DIR: which model do they belong to?");
  }
  if (config.lora_dropout > 0 && !adapts) {
    fail_usage("--lora_dropout {} without --lora_rank", config.lora_dropout);
  }
  if (type == "f32") return;
  if (!adapts) fail_usage("--base_dtype {} freezes the model: give --lora_rank too", type);
  if (config.init_from.empty()) fail_usage("--base_dtype {} without --init_from DIR: which model?", type);
  if (!config.freeze.empty()) fail_usage("--freeze: with --base_dtype {} all but adapters is frozen", type);
  if (config.ema) fail_usage("--ema averages whole models, which --base_dtype {} does not write", type);
}

void check_dpo(const TrainConfig& config) {
  if (config.init_from.empty()) {
    fail_usage("--objective dpo without --init_from DIR: it begins with a model, which is the reference too");
  }
  if (config.label_smoothing > 0 || config.z_loss > 0) {
    fail_usage("--label_smoothing and --z_loss are of tokens: --objective dpo has --dpo_label_smoothing");
  }
  if (config.pack == "none") fail_usage("--pack none: pairs share windows, leave it out");
  if (config.train_on == "all") fail_usage("--train_on all: --objective dpo learns from replies alone");
  if (config.curriculum) fail_usage("--curriculum: not with --objective dpo");
}

}  // namespace

void TrainConfig::validate() const {
  if (min_lr < 0 && min_lr != -1) {
    fail_usage("--min_lr {}: 0 or more, or -1 for a tenth of learning_rate", min_lr);
  }
  if (lr_schedule != "constant" && min_lr > learning_rate) {
    fail_usage("min_lr = {} is above learning_rate = {}", min_lr, learning_rate);
  }
  if (lora_rank > 0 && optimizer == "muon") {
    fail_usage(
        "--optimizer muon orthogonalizes whole matrices, --lora_rank trains factors of them: use adamw");
  }
  if (muon_steps == 4) fail_usage("--muon_steps 4: there are polynomials for 5 steps and for 3");
  if (lora_rank > 0 && lora_targets.empty()) fail_usage("--lora_rank {} without --lora_targets", lora_rank);
  if (is_dpo()) check_dpo(*this);
  if (keep_optimizer && init_from.empty())
    fail_usage("--keep_optimizer says nothing without --init_from DIR");
  if ((lora_rank > 0 || !init_adapter.empty()) && keep_optimizer) {
    fail_usage("--keep_optimizer: the state of whole matrices does not fit the adapters of --lora_rank");
  }
  if (offloads() && grad_checkpoint != "auto" && grad_checkpoint != "block") {
    fail_usage("--offload activations is of what --grad_checkpoint block keeps, not {}", grad_checkpoint);
  }
  validate_rounds(*this);
  validate_base(*this);
  if (out_dir.empty()) fail_usage("out_dir is empty: give the run directory with --out_dir DIR");
}

void TrainConfig::validate(const model::GptConfig& model) const {
  if (lora_dropout > 0 && model.parallel_blocks) fail_usage("--lora_dropout: not with parallel_blocks");
  if (curriculum && curriculum_start_block_size >= model.block_size) {
    fail_usage("--curriculum_start_block_size {} is not below block_size {}", curriculum_start_block_size,
               model.block_size);
  }
}

}  // namespace vkgpt::train
