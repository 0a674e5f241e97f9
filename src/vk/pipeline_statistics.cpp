#include "vkgpt/vk/pipeline_statistics.hpp"

#include <algorithm>
#include <initializer_list>
#include <string_view>

#include "vkgpt/vk/result.hpp"

namespace vkgpt::vk {
namespace {

ExecutableStatistic to_statistic(const VkPipelineExecutableStatisticKHR& statistic) {
  ExecutableStatistic result{statistic.name, statistic.description, false};
  switch (statistic.format) {
    case VK_PIPELINE_EXECUTABLE_STATISTIC_FORMAT_BOOL32_KHR:
      result.value = statistic.value.b32 != VK_FALSE;
      break;
    case VK_PIPELINE_EXECUTABLE_STATISTIC_FORMAT_INT64_KHR:
      result.value = statistic.value.i64;
      break;
    case VK_PIPELINE_EXECUTABLE_STATISTIC_FORMAT_FLOAT64_KHR:
      result.value = statistic.value.f64;
      break;
    default:
      result.value = statistic.value.u64;
  }
  return result;
}

std::vector<ExecutableStatistic> read_statistics(const VolkDeviceTable& table, VkDevice device,
                                                 const VkPipelineExecutableInfoKHR& info) {
  std::uint32_t count = 0;
  VK_CHECK(table.vkGetPipelineExecutableStatisticsKHR(device, &info, &count, nullptr));
  VkPipelineExecutableStatisticKHR blank{};
  blank.sType = VK_STRUCTURE_TYPE_PIPELINE_EXECUTABLE_STATISTIC_KHR;
  std::vector<VkPipelineExecutableStatisticKHR> statistics(count, blank);
  VK_CHECK(table.vkGetPipelineExecutableStatisticsKHR(device, &info, &count, statistics.data()));
  std::vector<ExecutableStatistic> result;
  for (std::uint32_t i = 0; i < count; ++i) result.push_back(to_statistic(statistics[i]));
  return result;
}

std::vector<ExecutableText> read_texts(const VolkDeviceTable& table, VkDevice device,
                                       const VkPipelineExecutableInfoKHR& info) {
  const auto call = table.vkGetPipelineExecutableInternalRepresentationsKHR;
  std::uint32_t count = 0;
  VK_CHECK(call(device, &info, &count, nullptr));
  VkPipelineExecutableInternalRepresentationKHR blank{};
  blank.sType = VK_STRUCTURE_TYPE_PIPELINE_EXECUTABLE_INTERNAL_REPRESENTATION_KHR;
  std::vector<VkPipelineExecutableInternalRepresentationKHR> sizes(count, blank);
  VK_CHECK(call(device, &info, &count, sizes.data()));
  std::vector<std::string> contents;
  for (std::uint32_t i = 0; i < count; ++i) contents.emplace_back(sizes[i].dataSize, '\0');
  for (std::uint32_t i = 0; i < count; ++i) sizes[i].pData = contents[i].data();
  VK_CHECK(call(device, &info, &count, sizes.data()));
  std::vector<ExecutableText> result;
  for (std::uint32_t i = 0; i < count; ++i) {
    if (!sizes[i].isText) continue;
    contents[i].resize(std::min(contents[i].size(), contents[i].find('\0')));
    result.push_back({sizes[i].name, sizes[i].description, std::move(contents[i])});
  }
  return result;
}

/// The sum of those statistics that have one of the names; empty where there is none.
std::optional<std::uint64_t> sum_of(std::span<const ExecutableStatistic> statistics,
                                    std::initializer_list<std::string_view> names) {
  std::optional<std::uint64_t> sum;
  for (const ExecutableStatistic& statistic : statistics) {
    if (!std::ranges::contains(names, std::string_view(statistic.name))) continue;
    std::uint64_t value = 0;
    if (const auto* u = std::get_if<std::uint64_t>(&statistic.value)) value = *u;
    if (const auto* i = std::get_if<std::int64_t>(&statistic.value); i != nullptr && *i > 0) {
      value = static_cast<std::uint64_t>(*i);
    }
    sum = sum.value_or(0) + value;
  }
  return sum;
}

}  // namespace

std::vector<PipelineExecutable> pipeline_executables(const VolkDeviceTable& table, VkDevice device,
                                                     VkPipeline pipeline, PipelineCapture capture) {
  const VkPipelineInfoKHR pipeline_info = {
      .sType = VK_STRUCTURE_TYPE_PIPELINE_INFO_KHR, .pNext = nullptr, .pipeline = pipeline};
  std::uint32_t count = 0;
  VK_CHECK(table.vkGetPipelineExecutablePropertiesKHR(device, &pipeline_info, &count, nullptr));
  VkPipelineExecutablePropertiesKHR blank{};
  blank.sType = VK_STRUCTURE_TYPE_PIPELINE_EXECUTABLE_PROPERTIES_KHR;
  std::vector<VkPipelineExecutablePropertiesKHR> properties(count, blank);
  VK_CHECK(table.vkGetPipelineExecutablePropertiesKHR(device, &pipeline_info, &count, properties.data()));
  std::vector<PipelineExecutable> executables;
  for (std::uint32_t i = 0; i < count; ++i) {
    const VkPipelineExecutableInfoKHR info = {.sType = VK_STRUCTURE_TYPE_PIPELINE_EXECUTABLE_INFO_KHR,
                                              .pNext = nullptr,
                                              .pipeline = pipeline,
                                              .executableIndex = i};
    PipelineExecutable executable{
        properties[i].name, properties[i].description, properties[i].subgroupSize, {}, {}};
    if (capture != PipelineCapture::kNothing) executable.statistics = read_statistics(table, device, info);
    if (capture == PipelineCapture::kTexts) executable.texts = read_texts(table, device, info);
    executables.push_back(std::move(executable));
  }
  return executables;
}

std::vector<PipelineExecutable> pipeline_executables(const Device& device, VkPipeline pipeline,
                                                     PipelineCapture capture) {
  if (!device.caps().pipeline_statistics) return {};
  return pipeline_executables(device.table(), device.handle(), pipeline, capture);
}

KernelFigures kernel_figures(std::span<const ExecutableStatistic> statistics) {
  return {
      .registers = sum_of(statistics, {"VGPRs", "Max live registers", "Register Count", "Number of GPRs"}),
      .scalar_registers = sum_of(statistics, {"SGPRs"}),
      .spills = sum_of(statistics,
                       {"Spilled SGPRs", "Spilled VGPRs", "Spill Count", "Fill Count", "Spills to memory"}),
      .scratch_bytes =
          sum_of(statistics, {"Scratch size", "Scratch Memory Size", "Local Memory Size", "SLM size"}),
      .shared_bytes = sum_of(statistics, {"LDS size", "Workgroup Memory Size", "Shared Memory Size"}),
      .occupancy = sum_of(statistics, {"Subgroups per SIMD", "Max warps/SM"}),
      .instructions = sum_of(statistics, {"Instructions", "Instruction Count", "Instruction count"}),
      .cycles = sum_of(statistics, {"Latency", "Cycle Count", "Static cycle count"}),
      .inverse_throughput = sum_of(statistics, {"Inverse Throughput"})};
}

}  // namespace vkgpt::vk
