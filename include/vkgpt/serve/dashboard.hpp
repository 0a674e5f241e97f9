#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "vkgpt/core/file.hpp"

namespace vkgpt::serve {

/// The runs that have begun in `places`: a directory with a log is one, another stands for those in it.
std::vector<Path> find_runs(const std::vector<Path>& places);

/// Shows the runs of `places` in a browser on this machine, at `port` (0 takes a free one), until a signal
/// comes or `is_over` says so: what their logs hold, and what is added to them; runs that begin meanwhile are
/// there within seconds. It reads run directories only and never writes. `started` is told the address.
/// Throws `Error` where it cannot start.
void show_dashboard(const std::vector<Path>& places, std::uint16_t port,
                    const std::function<void(const std::string& address)>& started,
                    const std::function<bool()>& is_over = {});

}  // namespace vkgpt::serve
