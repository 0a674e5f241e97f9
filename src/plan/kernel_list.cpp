#include "vkgpt/plan/kernel_list.hpp"

#include <utility>

#include "vkgpt/core/error.hpp"

namespace vkgpt::plan {
namespace {

void check_accesses(const vk::PipelineKey& key, const std::vector<Access>& accesses,
                    const vk::SpirvInterface& shader) {
  for (std::size_t i = 0; i < accesses.size(); ++i) {
    const vk::BufferInterface& buffer = shader.buffers.at(i);
    if (buffer.writes && accesses[i] == Access::kRead) {
      fail("kernel {}: its shader writes binding {}, which the plan only reads", describe(key), i);
    }
    if (buffer.reads && accesses[i] == Access::kWrite) {
      fail("kernel {}: its shader reads binding {}, which the plan only writes", describe(key), i);
    }
  }
}

}  // namespace

vk::PipelineKey pipeline_key(const Dispatch& dispatch) {
  return {.stem = dispatch.kernel.stem,
          .macros = dispatch.kernel.macros,
          .spec_constants = dispatch.kernel.spec_constants,
          .subgroup_size = dispatch.kernel.subgroup_size,
          .binding_count = static_cast<std::uint32_t>(dispatch.bindings.size()),
          .push_bytes = dispatch.push_bytes()};
}

std::size_t KernelUse::dispatch_count() const {
  std::size_t count = 0;
  for (const auto& [segment, dispatches_of_it] : dispatches) count += dispatches_of_it;
  return count;
}

void add_kernels(KernelList& kernels, const Segment& segment) {
  for (const Dispatch& dispatch : segment.dispatches) {
    KernelUse& use = kernels[pipeline_key(dispatch)];
    ++use.dispatches[segment.name];
    use.cost.flops += dispatch.cost.flops;
    use.cost.bytes += dispatch.cost.bytes;
    std::vector<Access> accesses;
    for (const Binding& binding : dispatch.bindings) accesses.push_back(binding.access);
    use.accesses.insert(std::move(accesses));
  }
}

void add_kernels(KernelList& kernels, const Plan& plan) {
  for (const Segment& segment : plan.segments) add_kernels(kernels, segment);
}

void build_kernels(const KernelList& kernels, vk::PipelineCache& pipelines) {
  std::vector<vk::PipelineKey> keys;
  for (const auto& [key, use] : kernels) keys.push_back(key);
  pipelines.prepare(keys);
  for (const auto& [key, use] : kernels) {
    const vk::SpirvInterface& shader = pipelines.get(key).interface;
    for (const std::vector<Access>& accesses : use.accesses) check_accesses(key, accesses, shader);
  }
}

}  // namespace vkgpt::plan
