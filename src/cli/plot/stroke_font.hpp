#pragma once

#include <string_view>
#include <vector>

#include "cli/plot/canvas.hpp"

namespace vkgpt::cli {

/// Lines that a pen follows to write `text`, in units of the em square, from (0, 0) on the baseline, y
/// upwards. Beyond ASCII, characters become '?'.
std::vector<std::vector<Point>> text_strokes(std::string_view text);

/// Width of `text` in em.
double text_width(std::string_view text);

}  // namespace vkgpt::cli
