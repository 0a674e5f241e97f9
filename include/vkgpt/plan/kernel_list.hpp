#pragma once

#include <cstddef>
#include <map>
#include <string>

#include "vkgpt/plan/plan.hpp"
#include "vkgpt/vk/pipeline.hpp"

namespace vkgpt::plan {

/// The pipeline that a dispatch needs.
vk::PipelineKey pipeline_key(const Dispatch& dispatch);

/// The work that a pipeline does.
struct KernelUse {
  std::map<std::string, std::size_t> dispatches;  // by segment
  Cost cost;                                      // of all of them

  std::size_t dispatch_count() const;
};

using KernelList = std::map<vk::PipelineKey, KernelUse>;

/// Adds every pipeline of the plan.
void add_kernels(KernelList& kernels, const Plan& plan);

}  // namespace vkgpt::plan
