#pragma once

#include <string>

#include <nlohmann/json_fwd.hpp>

#include "vkgpt/plan/schedule.hpp"

namespace vkgpt::plan {

/// The dry run: for each segment its dispatches, barriers, FLOPs and bytes moved, with a line per kernel;
/// then peak memory by role. `verbose` lists every dispatch with what it reads and writes.
std::string dump_text(const Schedule& schedule, bool verbose);
nlohmann::json dump_json(const Schedule& schedule);

}  // namespace vkgpt::plan
