#include "cli/bench/backend_sweep.hpp"

#include <algorithm>
#include <format>

#include "vkgpt/plan/kernel_list.hpp"

namespace vkgpt::cli {

vk::DeviceCaps only_backend(vk::DeviceCaps caps, std::string_view op, vk::Backend backend) {
  (op == "matmul" ? caps.kernels.matmul : caps.kernels.attention) = backend;
  caps.kernels.measured.clear();
  for (const vk::Backend other : vk::kBackends) {
    if (other != backend) caps.kernels.disabled.insert(std::format("{} {}", op, vk::backend_name(other)));
  }
  return caps;
}

bool has_other_kernels(const plan::Segment& segment, const plan::Segment& other) {
  return !std::ranges::equal(segment.dispatches, other.dispatches, {}, plan::pipeline_key,
                             plan::pipeline_key);
}

}  // namespace vkgpt::cli
