#include "cli/bench/backend_sweep.hpp"

#include <algorithm>

#include "vkgpt/core/format.hpp"
#include "vkgpt/plan/kernel_list.hpp"

namespace vkgpt::cli {

vk::Target only_backend(vk::Target target, std::string_view op, vk::Backend backend) {
  (op == "matmul" ? target.kernels.matmul : target.kernels.attention) = backend;
  target.kernels.measured.clear();
  for (const vk::Backend other : vk::kBackends) {
    if (other != backend) target.kernels.disabled.insert(vkgpt::format("{} {}", op, vk::backend_name(other)));
  }
  return target;
}

bool has_other_kernels(const plan::Segment& segment, const plan::Segment& other) {
  return !std::ranges::equal(segment.dispatches, other.dispatches, {}, plan::pipeline_key,
                             plan::pipeline_key);
}

}  // namespace vkgpt::cli
