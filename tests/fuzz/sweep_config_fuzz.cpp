

#include "cli/sweep/sweep_config.hpp"
#include "fuzz/fuzz_target.hpp"

namespace vkgpt::fuzz {

VKGPT_FUZZ_TARGET(sweep_config) {
  cli::plan_sweep(cli::read_sweep_config(write_input("sweep.yaml", input)));
}

}  // namespace vkgpt::fuzz
