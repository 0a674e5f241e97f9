#pragma once

#include <span>
#include <string_view>
#include <vector>

#include <nlohmann/json_fwd.hpp>

#include "vkgpt/plan/profiler.hpp"

namespace vkgpt::cli {

/// When each segment began on the device, in nanoseconds of the host's clock. The clocks are not compared:
/// the device's work is taken to end when the host's wait does, but never to begin before it was submitted or
/// before the last segment ended.
std::vector<double> device_origins(std::span<const plan::ProfiledSegment> segments);

/// A trace that Perfetto and chrome://tracing load ("Trace Event Format"): tracks of the host (record,
/// submit, wait), of the device's barrier groups and of its dispatches. Times are microseconds.
nlohmann::ordered_json trace_json(std::span<const plan::ProfiledSegment> segments, std::string_view device);

}  // namespace vkgpt::cli
