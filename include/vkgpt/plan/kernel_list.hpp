#pragma once

#include <cstddef>
#include <map>
#include <set>
#include <string>
#include <vector>

#include "vkgpt/plan/plan.hpp"
#include "vkgpt/vk/pipeline.hpp"

namespace vkgpt::plan {

/// The pipeline that a dispatch needs.
vk::PipelineKey pipeline_key(const Dispatch& dispatch);

/// The work that a pipeline does.
struct KernelUse {
  std::map<std::string, std::size_t> dispatches;  // by segment
  Cost cost;                                      // of all of them
  std::set<std::vector<Access>> accesses;         // by binding; one dispatch may state more than another

  std::size_t dispatch_count() const;
};

using KernelList = std::map<vk::PipelineKey, KernelUse>;

/// Adds every pipeline of the segment, or of the whole plan.
void add_kernels(KernelList& kernels, const Segment& segment);
void add_kernels(KernelList& kernels, const Plan& plan);

/// Builds what is missing of the pipelines and compares each with its shader (see `vk::PipelineCache`).
/// Throws `Error` in one line that names kernel and binding where a kernel writes what the plan calls `kRead`
/// or reads what it calls `kWrite`: barriers are placed and memory is shared by those words.
void build_kernels(const KernelList& kernels, vk::PipelineCache& pipelines);

}  // namespace vkgpt::plan
