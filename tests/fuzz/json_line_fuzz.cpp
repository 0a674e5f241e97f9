

#include "fuzz/fuzz_target.hpp"
#include "text/corpus/json_line.hpp"

namespace vkgpt::fuzz {

VKGPT_FUZZ_TARGET(json_line) {
  const auto where = [] { return std::string("input"); };
  for (const bool first : {false, true}) text::json_line_text(input, first, "text", where);
}

}  // namespace vkgpt::fuzz
