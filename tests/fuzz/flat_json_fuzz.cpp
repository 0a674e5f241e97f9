#include "vkgpt/core/config_json.hpp"
#include "vkgpt/model/gpt_config.hpp"

#include "fuzz/fuzz_target.hpp"

namespace vkgpt::fuzz {

VKGPT_FUZZ_TARGET(flat_json) {
  try {
    read_flat_json(input, SettingOrigin::kConfigFile, "input");
  } catch (const Error&) {  // a file that vkgpt wrote is stricter
  }
  config_from_json<model::GptConfig>(input, "input").validate();
}

}  // namespace vkgpt::fuzz
