#include "vkgpt/model/preference.hpp"

#include <algorithm>

#include "vkgpt/core/check.hpp"

namespace vkgpt::model {

PreferenceResults preference_results(std::span<const float> readback) {
  VKGPT_CHECK(readback.size() == 4, "{} results of pairs", readback.size());
  const double pairs = std::max(readback[3], 1.0F);
  return {.chosen = readback[0] / pairs,
          .rejected = readback[1] / pairs,
          .accuracy = readback[2] / pairs,
          .pairs = readback[3]};
}

}  // namespace vkgpt::model
