#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

#include "vkgpt/plan/plan.hpp"

namespace vkgpt::plan {

/// Where a command buffer of a segment ends because something waits for what was done so far.
struct Cut {
  std::size_t end = 0;   // dispatches before it
  std::size_t send = 0;  // number of the send that is ready
};

/// Adds segment `name`: the dispatches of `segment` with those of `sends` among them, each as soon as
/// everything that it reads is written, and a cut behind it. It shares no transient tensor with `segment`.
/// What only the end of `segment` completes comes last. Numbers of sends are their places in `sends`.
/// The cuts of the new segment, by their ends.
std::vector<Cut> add_sends(Plan& plan, std::string_view segment, std::string_view sends, std::string name);

}  // namespace vkgpt::plan
