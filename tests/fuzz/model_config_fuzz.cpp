#include "vkgpt/model/hf_config.hpp"

#include "fuzz/fuzz_target.hpp"

namespace vkgpt::fuzz {

VKGPT_FUZZ_TARGET(model_config) {
  const model::ModelFormat format = model::read_model_format(write_input("config.json", input));
  format.config.validate();
}

}  // namespace vkgpt::fuzz
