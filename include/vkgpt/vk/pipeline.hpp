#pragma once

#include <compare>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <map>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <volk.h>

#include "vkgpt/vk/device.hpp"
#include "vkgpt/vk/shader_compiler.hpp"

namespace vkgpt::vk {

/// Everything that tells one compute pipeline from another.
struct PipelineKey {
  std::string stem;  // shaders/<stem>.comp
  std::vector<Macro> macros;
  std::vector<std::uint32_t> spec_constants;  // constant_id 0, 1, ...
  // Required size, of which the workgroup's x size is a multiple; 0 = the driver's choice.
  std::uint32_t subgroup_size = 0;
  std::uint32_t binding_count = 0;  // storage buffers at set 0, binding 0, 1, ...
  std::uint32_t push_bytes = 0;
  auto operator<=>(const PipelineKey&) const = default;
};

/// "EPILOGUE=1 [64,32]": the macros and specialization constants.
std::string variant_text(const PipelineKey& key);

/// What the driver is asked to keep about pipelines, where `DeviceCaps::pipeline_statistics` says that it can
/// (see pipeline_statistics.hpp).
enum class PipelineCapture { kNothing, kStatistics, kTexts };

struct Pipeline {
  VkPipeline pipeline = VK_NULL_HANDLE;
  VkPipelineLayout layout = VK_NULL_HANDLE;
  VkDescriptorSetLayout set_layout = VK_NULL_HANDLE;
  std::size_t spirv_bytes = 0;
  double build_seconds = 0;  // that the driver took
};

/// Builds pipelines on first use and keeps them; the driver's own cache is kept on disk by device and driver.
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
  /// Writes the driver's cache to disk when pipelines were added since the last time.
  void save();

 private:
  const Pipeline& build(const PipelineKey& key, std::span<const std::uint32_t> spirv);
  /// Checks `key` against the device; what the pipeline will have but for its handle.
  Pipeline layout_of(const PipelineKey& key);
  /// The whole pipeline; safe from several threads.
  Pipeline create(const PipelineKey& key, const Pipeline& layout, std::span<const std::uint32_t> spirv) const;
  const Pipeline& keep(const PipelineKey& key, const Pipeline& pipeline);

  const Device& device_;
  ShaderCompiler& compiler_;
  std::filesystem::path file_;
  VkPipelineCreateFlags flags_ = 0;
  VkPipelineCache cache_ = VK_NULL_HANDLE;
  std::map<PipelineKey, Pipeline> pipelines_;
  std::map<std::pair<std::uint32_t, std::uint32_t>, Pipeline> layouts_;  // (bindings, push bytes)
  std::size_t saved_count_ = 0;
};

}  // namespace vkgpt::vk
