#pragma once

#include <span>
#include <string>
#include <vector>

#include <nlohmann/json_fwd.hpp>

#include "vkgpt/core/dtype.hpp"
#include "vkgpt/plan/executor.hpp"

#include "cli/bench/bench_figure.hpp"

namespace vkgpt::cli {

/// The dispatches of one kernel, together.
struct KernelTime {
  std::string stem;
  int calls = 0;
  double milliseconds = 0;
  double part = 0;  // of the time of all kernels
  double gflops = 0;
  double gigabytes_per_second = 0;
  double share = 0;  // of the device's limit; 0 = unknown
};

/// Sums by kernel, the longest first. Matrix products are of `dtype`.
std::vector<KernelTime> time_by_kernel(std::span<const plan::DispatchTime> dispatches, DType dtype,
                                       const DeviceLimits& limits);

/// A line for each kernel.
std::string kernel_time_table(std::span<const KernelTime> kernels);
nlohmann::ordered_json kernel_times_json(std::span<const KernelTime> kernels);

}  // namespace vkgpt::cli
