#include "vkgpt/plan/kernel_list.hpp"

namespace vkgpt::plan {

vk::PipelineKey pipeline_key(const Dispatch& dispatch) {
  return {.stem = dispatch.kernel.stem,
          .macros = dispatch.kernel.macros,
          .spec_constants = dispatch.kernel.spec_constants,
          .subgroup_size = dispatch.kernel.subgroup_size,
          .binding_count = static_cast<std::uint32_t>(dispatch.bindings.size()),
          .push_bytes = static_cast<std::uint32_t>(dispatch.push.size() * sizeof(std::uint32_t))};
}

std::size_t KernelUse::dispatch_count() const {
  std::size_t count = 0;
  for (const auto& [segment, dispatches_of_it] : dispatches) count += dispatches_of_it;
  return count;
}

void add_kernels(KernelList& kernels, const Plan& plan) {
  for (const Segment& segment : plan.segments) {
    for (const Dispatch& dispatch : segment.dispatches) {
      KernelUse& use = kernels[pipeline_key(dispatch)];
      ++use.dispatches[segment.name];
      use.cost.flops += dispatch.cost.flops;
      use.cost.bytes += dispatch.cost.bytes;
    }
  }
}

}  // namespace vkgpt::plan
