#pragma once

#include <cstdint>

namespace vkgpt::text {

using Token = std::int32_t;

}  // namespace vkgpt::text
