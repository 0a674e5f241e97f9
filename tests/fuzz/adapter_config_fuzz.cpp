#include "vkgpt/model/adapter_config.hpp"

#include "fuzz/fuzz_target.hpp"

namespace vkgpt::fuzz {

VKGPT_FUZZ_TARGET(adapter_config) {
  write_input(model::kAdapterConfigFile, input);
  try {
    model::read_adaptation(directory(), model::TensorLayout::kGpt2);
  } catch (const Error&) {  // the names of matrices differ
  }
  model::read_adaptation(directory(), model::TensorLayout::kLlama);
}

}  // namespace vkgpt::fuzz
