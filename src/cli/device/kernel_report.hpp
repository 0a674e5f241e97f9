#pragma once

#include <cstddef>
#include <span>
#include <string>
#include <vector>

#include <nlohmann/json_fwd.hpp>

#include "vkgpt/plan/kernel_list.hpp"
#include "vkgpt/vk/pipeline_statistics.hpp"

namespace vkgpt::cli {

/// A pipeline that was built, what it is for, and what the driver tells of it.
struct BuiltKernel {
  vk::PipelineKey key;
  plan::KernelUse use;
  std::size_t spirv_bytes = 0;
  double build_milliseconds = 0;  // of the driver, other pipelines being built beside it
  std::vector<vk::PipelineExecutable> executables = {};
};

/// A line for each kernel, or for each of its executables; `with_stats` adds a column for each figure that
/// the driver reports.
std::string kernel_table(std::span<const BuiltKernel> kernels, bool with_stats);

/// Names of the figures that no executable has: what the driver does not report.
std::vector<std::string> missing_figures(std::span<const BuiltKernel> kernels);

/// [{"kernel": stem, "variant": ..., "dispatches": {segment: count}, ...}]; a figure that the driver does not
/// report is null.
nlohmann::ordered_json kernels_json(std::span<const BuiltKernel> kernels);

}  // namespace vkgpt::cli
