#pragma once

#include "vkgpt/plan/plan.hpp"

namespace vkgpt::plan {

/// Drops the dispatches whose results nobody reads: those that write transient tensors only, none of which is
/// read later in the segment. A recomputation of a whole block leaves such: the block's own output is not
/// needed again.
void drop_dead_dispatches(Plan& plan);

}  // namespace vkgpt::plan
