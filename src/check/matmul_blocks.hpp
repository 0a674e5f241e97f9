#pragma once

#include <vector>

#include "vkgpt/check/op_table.hpp"

namespace vkgpt::check {

/// Products with a weight in blocks: y, dx.
std::vector<Case> matmul_block_cases();

}  // namespace vkgpt::check
