#include "cli/bench/kernel_times.hpp"

#include <algorithm>
#include <functional>
#include <map>

#include <nlohmann/json.hpp>

#include "vkgpt/core/format.hpp"

namespace vkgpt::cli {

std::vector<KernelTime> time_by_kernel(std::span<const plan::DispatchTime> dispatches, DType dtype,
                                       const DeviceLimits& limits) {
  struct Sum {
    int calls = 0;
    double nanoseconds = 0;
    plan::Cost cost;
  };
  std::map<std::string, Sum> sums;
  double total = 0;
  for (const plan::DispatchTime& dispatch : dispatches) {
    Sum& sum = sums[dispatch.stem];
    ++sum.calls;
    sum.nanoseconds += dispatch.nanoseconds;
    sum.cost.flops += dispatch.cost.flops;
    sum.cost.bytes += dispatch.cost.bytes;
    total += dispatch.nanoseconds;
  }
  std::vector<KernelTime> kernels;
  for (const auto& [stem, sum] : sums) {
    // A clock may be too coarse for the least of them.
    const double nanoseconds = std::max(sum.nanoseconds, 1e-3);
    kernels.push_back({.stem = stem,
                       .calls = sum.calls,
                       .milliseconds = sum.nanoseconds / 1e6,
                       .part = total == 0 ? 0 : sum.nanoseconds / total,
                       .gflops = static_cast<double>(sum.cost.flops) / nanoseconds,
                       .gigabytes_per_second = static_cast<double>(sum.cost.bytes) / nanoseconds,
                       .share = share_of_limit(sum.cost, 1e-9 * nanoseconds, dtype, limits)});
  }
  std::ranges::sort(kernels, std::greater{}, &KernelTime::milliseconds);
  return kernels;
}

std::string kernel_time_table(std::span<const KernelTime> kernels) {
  std::string text = vkgpt::format("{:<32} {:>6} {:>10} {:>6} {:>9} {:>8} {:>9}\n", "kernel", "calls", "ms",
                                   "%", "GFLOP/s", "GB/s", "of limit");
  for (const KernelTime& kernel : kernels) {
    text +=
        vkgpt::format("{:<32} {:>6} {:>10.3f} {:>6.1f} {:>9.1f} {:>8.1f} {:>9}\n", kernel.stem, kernel.calls,
                      kernel.milliseconds, 100 * kernel.part, kernel.gflops, kernel.gigabytes_per_second,
                      kernel.share == 0 ? "-" : vkgpt::format("{:.0f} %", 100 * kernel.share));
  }
  return text;
}

nlohmann::ordered_json kernel_times_json(std::span<const KernelTime> kernels) {
  nlohmann::ordered_json list = nlohmann::ordered_json::array();
  for (const KernelTime& kernel : kernels) {
    list.push_back(
        {{"kernel", kernel.stem},
         {"calls", kernel.calls},
         {"ms", kernel.milliseconds},
         {"part", kernel.part},
         {"gflops", kernel.gflops},
         {"gbytes_per_second", kernel.gigabytes_per_second},
         {"share", kernel.share == 0 ? nlohmann::ordered_json() : nlohmann::ordered_json(kernel.share)}});
  }
  return list;
}

}  // namespace vkgpt::cli
