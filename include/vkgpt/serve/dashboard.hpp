#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "vkgpt/core/file.hpp"

namespace vkgpt::serve {

/// Shows runs in a browser on this machine, at `port` (0 takes a free one), until a signal comes or `is_over`
/// says so: what their logs hold, and what is added to them. It reads run directories only and never writes.
/// `started` is told the address. Throws `Error` where it cannot start.
void show_dashboard(const std::vector<Path>& runs, std::uint16_t port,
                    const std::function<void(const std::string& address)>& started,
                    const std::function<bool()>& is_over = {});

}  // namespace vkgpt::serve
