#include "vkgpt/core/json.hpp"

#include "fuzz/fuzz_target.hpp"

namespace vkgpt::fuzz {

VKGPT_FUZZ_TARGET(json) {
  parse_json(input, "input");
}

}  // namespace vkgpt::fuzz
