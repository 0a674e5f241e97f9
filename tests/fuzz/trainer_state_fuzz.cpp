#include "vkgpt/train/trainer_state.hpp"

#include "fuzz/fuzz_target.hpp"

namespace vkgpt::fuzz {

VKGPT_FUZZ_TARGET(trainer_state) {
  train::trainer_state_from_json(input, "input");
}

}  // namespace vkgpt::fuzz
