#pragma once

#include <cstddef>
#include <functional>
#include <string_view>
#include <vector>

#include "vkgpt/text/tokenizer/split_pattern.hpp"

namespace vkgpt::text {

/// A place to cut for patterns of which nothing is known but what they do. `split` applies `steps`, each to
/// the words of the one before. The last place that `accept` takes of those where both sides are found to be
/// cut alike, whatever follows `text`; 0 where there is none near its end.
std::size_t prove_cut(const SplitPattern& split, const std::vector<const SplitPattern*>& steps,
                      std::string_view text, const std::function<bool(std::size_t at)>& accept);

}  // namespace vkgpt::text
