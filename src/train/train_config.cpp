#include "vkgpt/train/train_config.hpp"

#include "vkgpt/core/error.hpp"

namespace vkgpt::train {

void TrainConfig::validate() const {
  if (lr_schedule != "constant" && min_lr > learning_rate) {
    fail_usage("min_lr = {} is above learning_rate = {}", min_lr, learning_rate);
  }
  if (out_dir.empty()) fail_usage("out_dir is empty: give the run directory with --out_dir DIR");
}

}  // namespace vkgpt::train
