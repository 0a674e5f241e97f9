#include "vkgpt/vk/pipeline_statistics.hpp"

#include <cstdint>
#include <cstring>
#include <string>
#include <string_view>
#include <vector>

#include <gtest/gtest.h>

#include "gpu_context.hpp"

namespace vkgpt::vk {
namespace {

ExecutableStatistic count(const char* name, std::uint64_t value) {
  return {name, "", value};
}

TEST(KernelFigures, OfRadv) {
  const std::vector<ExecutableStatistic> statistics = {count("SGPRs", 128),
                                                       count("VGPRs", 108),
                                                       count("Spilled SGPRs", 3),
                                                       count("Spilled VGPRs", 4),
                                                       count("LDS size", 1024),
                                                       count("Scratch size", 8),
                                                       count("Instructions", 50),
                                                       count("Latency", 700),
                                                       count("Subgroups per SIMD", 14),
                                                       count("Inverse Throughput", 60),
                                                       count("Code size", 9)};
  const KernelFigures figures = kernel_figures(statistics);
  EXPECT_EQ(figures.registers, 108u);
  EXPECT_EQ(figures.scalar_registers, 128u);
  EXPECT_EQ(figures.spills, 7u);
  EXPECT_EQ(figures.scratch_bytes, 8u);
  EXPECT_EQ(figures.shared_bytes, 1024u);
  EXPECT_EQ(figures.occupancy, 14u);
  EXPECT_EQ(figures.instructions, 50u);
  EXPECT_EQ(figures.cycles, 700u);
  EXPECT_EQ(figures.inverse_throughput, 60u);
}

TEST(KernelFigures, OfAnv) {
  const std::vector<ExecutableStatistic> statistics = {
      count("Instruction Count", 50),   count("Cycle Count", 700),       count("Spill Count", 3),
      count("Fill Count", 4),           count("Scratch Memory Size", 8), count("Max live registers", 90),
      count("Workgroup Memory Size", 0)};
  const KernelFigures figures = kernel_figures(statistics);
  EXPECT_EQ(figures.registers, 90u);
  EXPECT_FALSE(figures.scalar_registers.has_value());
  EXPECT_EQ(figures.spills, 7u);
  EXPECT_EQ(figures.scratch_bytes, 8u);
  EXPECT_EQ(figures.shared_bytes, 0u);
  EXPECT_FALSE(figures.occupancy.has_value());
  EXPECT_EQ(figures.instructions, 50u);
  EXPECT_EQ(figures.cycles, 700u);
}

TEST(KernelFigures, WhatADriverDoesNotSayIsEmptyNotZero) {
  EXPECT_FALSE(kernel_figures({}).spills.has_value());
}

// A driver that knows two executables, the second without statistics.

void set_text(char (&field)[VK_MAX_DESCRIPTION_SIZE], std::string_view text) {
  std::memcpy(field, text.data(), text.size());
}

VKAPI_ATTR VkResult VKAPI_CALL fake_properties(VkDevice, const VkPipelineInfoKHR*, std::uint32_t* size,
                                               VkPipelineExecutablePropertiesKHR* out) {
  *size = 2;
  if (out == nullptr) return VK_SUCCESS;
  set_text(out[0].name, "compute");
  set_text(out[1].name, "epilog");
  out[0].subgroupSize = 16;
  out[1].subgroupSize = 32;
  return VK_SUCCESS;
}

VKAPI_ATTR VkResult VKAPI_CALL fake_statistics(VkDevice, const VkPipelineExecutableInfoKHR* info,
                                               std::uint32_t* size, VkPipelineExecutableStatisticKHR* out) {
  *size = info->executableIndex == 0 ? 4 : 0;
  if (out == nullptr || *size == 0) return VK_SUCCESS;
  set_text(out[0].name, "a");
  out[0].format = VK_PIPELINE_EXECUTABLE_STATISTIC_FORMAT_BOOL32_KHR;
  out[0].value.b32 = VK_TRUE;
  out[1].format = VK_PIPELINE_EXECUTABLE_STATISTIC_FORMAT_INT64_KHR;
  out[1].value.i64 = -3;
  out[2].format = VK_PIPELINE_EXECUTABLE_STATISTIC_FORMAT_UINT64_KHR;
  out[2].value.u64 = 1ull << 40;
  out[3].format = VK_PIPELINE_EXECUTABLE_STATISTIC_FORMAT_FLOAT64_KHR;
  out[3].value.f64 = 0.5;
  return VK_SUCCESS;
}

VKAPI_ATTR VkResult VKAPI_CALL fake_texts(VkDevice, const VkPipelineExecutableInfoKHR* info,
                                          std::uint32_t* size,
                                          VkPipelineExecutableInternalRepresentationKHR* out) {
  *size = info->executableIndex == 0 ? 2 : 0;
  if (out == nullptr || *size == 0) return VK_SUCCESS;
  constexpr std::string_view kText("v_fma_f32\0", 10);
  set_text(out[0].name, "assembly");
  out[0].isText = VK_TRUE;
  if (out[0].pData != nullptr) std::memcpy(out[0].pData, kText.data(), out[0].dataSize);
  out[0].dataSize = kText.size();
  set_text(out[1].name, "binary");
  out[1].isText = VK_FALSE;
  out[1].dataSize = 4;
  return VK_SUCCESS;
}

TEST(PipelineExecutables, AreWhatTheDriverSays) {
  VolkDeviceTable table{};
  table.vkGetPipelineExecutablePropertiesKHR = fake_properties;
  table.vkGetPipelineExecutableStatisticsKHR = fake_statistics;
  table.vkGetPipelineExecutableInternalRepresentationsKHR = fake_texts;
  const auto executables =
      pipeline_executables(table, VK_NULL_HANDLE, VK_NULL_HANDLE, PipelineCapture::kTexts);
  ASSERT_EQ(executables.size(), 2u);
  EXPECT_EQ(executables[0].name, "compute");
  EXPECT_EQ(executables[0].subgroup_size, 16u);
  const std::vector<ExecutableStatistic>& statistics = executables[0].statistics;
  ASSERT_EQ(statistics.size(), 4u);
  EXPECT_EQ(statistics[0].name, "a");
  EXPECT_EQ(std::get<bool>(statistics[0].value), true);
  EXPECT_EQ(std::get<std::int64_t>(statistics[1].value), -3);
  EXPECT_EQ(std::get<std::uint64_t>(statistics[2].value), 1ull << 40);
  EXPECT_EQ(std::get<double>(statistics[3].value), 0.5);
  ASSERT_EQ(executables[0].texts.size(), 1u);
  EXPECT_EQ(executables[0].texts[0].text, "v_fma_f32");
  EXPECT_TRUE(executables[1].statistics.empty());

  const auto without_texts =
      pipeline_executables(table, VK_NULL_HANDLE, VK_NULL_HANDLE, PipelineCapture::kStatistics);
  EXPECT_TRUE(without_texts[0].texts.empty());
  EXPECT_EQ(without_texts[0].statistics.size(), 4u);
}

TEST(GpuPipelineStatistics, AreThereExactlyWhereTheDeviceHasThem) {
  Context& context = test::shared_context();
  PipelineCache cache(context.device(), context.compiler(), {}, PipelineCapture::kTexts);
  const PipelineKey key = {.stem = "fill",
                           .macros = {},
                           .spec_constants = {64, 1},
                           .subgroup_size = 0,
                           .binding_count = 1,
                           .push_bytes = 8};
  const Pipeline& pipeline = cache.get(key);
  EXPECT_GT(pipeline.spirv_bytes, 100u);
  EXPECT_GT(pipeline.build_seconds, 0);
  const auto executables = pipeline_executables(context.device(), pipeline.pipeline, PipelineCapture::kTexts);
  EXPECT_EQ(!executables.empty(), context.caps().pipeline_statistics);
  for (const PipelineExecutable& executable : executables) EXPECT_FALSE(executable.statistics.empty());
}

}  // namespace
}  // namespace vkgpt::vk
