

#include "cli/command/config_file.hpp"
#include "fuzz/fuzz_target.hpp"

namespace vkgpt::fuzz {

VKGPT_FUZZ_TARGET(yaml) {
  cli::read_flat_yaml(input, "input");
}

}  // namespace vkgpt::fuzz
