#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <variant>
#include <vector>

#include <volk.h>

#include "vkgpt/vk/pipeline.hpp"

namespace vkgpt::vk {

/// One figure that a driver tells of an executable, as it tells it.
struct ExecutableStatistic {
  std::string name;
  std::string description;
  std::variant<bool, std::int64_t, std::uint64_t, double> value;
};

/// A stage of the compilation, or its result, as text.
struct ExecutableText {
  std::string name;
  std::string description;
  std::string text;
};

/// A driver's result of compiling a shader. Drivers make one or, as Intel's for several subgroup sizes, a
/// few.
struct PipelineExecutable {
  std::string name;
  std::string description;
  std::uint32_t subgroup_size = 0;  // invocations; 0 = unknown
  std::vector<ExecutableStatistic> statistics;
  std::vector<ExecutableText> texts;
};

/// The driver's report on `pipeline`, which must come from a `PipelineCache` with that capture, through
/// `VK_KHR_pipeline_executable_properties`. Empty where the device has no such thing
/// (`DeviceCaps::pipeline_statistics`).
std::vector<PipelineExecutable> pipeline_executables(const Device& device, VkPipeline pipeline,
                                                     PipelineCapture capture);

/// The same through any table of functions.
std::vector<PipelineExecutable> pipeline_executables(const VolkDeviceTable& table, VkDevice device,
                                                     VkPipeline pipeline, PipelineCapture capture);

/// Figures that the drivers' different statistics have in common; empty where a driver does not say.
struct KernelFigures {
  std::optional<std::uint64_t> registers;         // AMD: VGPRs; Intel: most GRFs alive; NVIDIA: per thread
  std::optional<std::uint64_t> scalar_registers;  // AMD: SGPRs
  std::optional<std::uint64_t> spills;            // AMD: registers; Intel: spills and fills (instructions)
  std::optional<std::uint64_t> scratch_bytes;     // AMD: of a subgroup; others: of an invocation
  std::optional<std::uint64_t> shared_bytes;      // of a workgroup
  std::optional<std::uint64_t> occupancy;         // subgroups in flight on a SIMD unit, as registers allow
  std::optional<std::uint64_t> instructions;
  std::optional<std::uint64_t> cycles;              // estimates: AMD "Latency", Intel "Cycle Count"
  std::optional<std::uint64_t> inverse_throughput;  // AMD: cycles of a subgroup where nothing waits
};

/// Knows the names that RADV, ANV and NVIDIA's driver use (Mesa 25.0: radv_pipeline.c, aco_shader_info.h,
/// anv_pipeline.c).
KernelFigures kernel_figures(std::span<const ExecutableStatistic> statistics);

}  // namespace vkgpt::vk
