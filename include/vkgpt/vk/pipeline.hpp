#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <map>
#include <set>
#include <span>
#include <string_view>
#include <utility>

#include <volk.h>

#include "vkgpt/vk/device.hpp"
#include "vkgpt/vk/pipeline_key.hpp"
#include "vkgpt/vk/shader_compiler.hpp"

namespace vkgpt::vk {

/// Facts that the driver is asked to keep about pipelines, where `DeviceCaps::pipeline_statistics` says that
/// it can (see pipeline_statistics.hpp).
enum class PipelineCapture { kNothing, kStatistics, kTexts };

struct Pipeline {
  VkPipeline pipeline = VK_NULL_HANDLE;
  VkPipelineLayout layout = VK_NULL_HANDLE;
  VkDescriptorSetLayout set_layout = VK_NULL_HANDLE;
  SpirvInterface interface;
  std::size_t spirv_bytes = 0;
  double build_seconds = 0;  // that the driver took
};

/// Builds pipelines on first use and keeps them; the driver's own cache is kept on disk by device and driver.
/// A key that does not fit its shader or the device is an `Error` that names both.
class PipelineCache {
 public:
  PipelineCache(const Device& device, ShaderCompiler& compiler, std::filesystem::path cache_dir,
                PipelineCapture capture = PipelineCapture::kNothing);
  ~PipelineCache();
  PipelineCache(const PipelineCache&) = delete;
  PipelineCache& operator=(const PipelineCache&) = delete;

  const Pipeline& get(const PipelineKey& key);
  /// The same for GLSL text that is not embedded (tests and benchmarks); `key.stem` only names it.
  const Pipeline& get(const PipelineKey& key, std::string_view text);
  /// Builds what is missing of `keys`, on all processors: drivers compile one pipeline on one of them.
  void prepare(std::span<const PipelineKey> keys);
  std::size_t size() const { return pipelines_.size(); }
  /// The shaders of all pipelines so far.
  std::set<std::string> stems() const;
  /// Writes the driver's cache to disk when pipelines were added since the last time.
  void save();

 private:
  struct Layout {
    VkPipelineLayout pipeline = VK_NULL_HANDLE;
    VkDescriptorSetLayout set = VK_NULL_HANDLE;
  };

  const Pipeline& build(const PipelineKey& key, const CompiledShader& shader);
  /// Checks `key` against shader and device; all that the pipeline will have but its handle.
  Pipeline layout_of(const PipelineKey& key, const CompiledShader& shader);
  /// The whole pipeline; safe from several threads.
  Pipeline create(const PipelineKey& key, const Pipeline& layout, const CompiledShader& shader) const;
  const Pipeline& keep(const PipelineKey& key, const Pipeline& pipeline);

  const Device& device_;
  ShaderCompiler& compiler_;
  std::filesystem::path file_;
  VkPipelineCreateFlags flags_ = 0;
  VkPipelineCache cache_ = VK_NULL_HANDLE;
  std::map<PipelineKey, Pipeline> pipelines_;
  std::map<std::pair<std::uint32_t, std::uint32_t>, Layout> layouts_;  // (bindings, push bytes)
  std::size_t saved_count_ = 0;
};

}  // namespace vkgpt::vk
