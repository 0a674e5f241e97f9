#include "vkgpt/vk/pipeline.hpp"

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstring>
#include <exception>
#include <optional>
#include <set>
#include <span>
#include <thread>
#include <utility>

#include "vkgpt/core/check.hpp"
#include "vkgpt/core/format.hpp"
#include "vkgpt/vk/result.hpp"
#include "vkgpt/vk/subgroup_size.hpp"

#include "vk/cache_file.hpp"
#include "vk/kernel_contract.hpp"

namespace vkgpt::vk {
namespace {

/// One file for each device and version of its driver.
std::string cache_file_name(const Device& device) {
  VkPhysicalDeviceProperties properties{};
  vkGetPhysicalDeviceProperties(device.physical(), &properties);
  std::string uuid;
  for (const std::uint8_t byte : properties.pipelineCacheUUID) uuid += vkgpt::format("{:02x}", byte);
  return vkgpt::format("{:04x}-{:04x}-{:08x}-{}.bin", properties.vendorID, properties.deviceID,
                       properties.driverVersion, uuid);
}

/// Whether the driver's own header says that `data` is of this device. Drivers check it too, but not all of
/// them well.
bool is_of_device(const std::string& data, const Device& device) {
  VkPhysicalDeviceProperties properties{};
  vkGetPhysicalDeviceProperties(device.physical(), &properties);
  VkPipelineCacheHeaderVersionOne header{};
  if (data.size() < sizeof(header)) return false;
  std::memcpy(&header, data.data(), sizeof(header));
  return header.headerSize >= sizeof(header) && header.headerSize <= data.size() &&
         header.headerVersion == VK_PIPELINE_CACHE_HEADER_VERSION_ONE &&
         header.vendorID == properties.vendorID && header.deviceID == properties.deviceID &&
         std::memcmp(header.pipelineCacheUUID, properties.pipelineCacheUUID, VK_UUID_SIZE) == 0;
}

/// How many pipelines are built at once. GPU-assisted validation instruments shaders on one thread only: with
/// two, layer 1.4.309 now and then gives two results one identifier, and drivers refuse the shader.
std::size_t most_threads(const Device& device) {
  if (device.instance().validation() == ValidationMode::kGpu) return 1;
  return std::max(1U, std::thread::hardware_concurrency());
}

VkPipelineCreateFlags capture_flags(const Device& device, PipelineCapture capture) {
  if (!device.caps().pipeline_statistics || capture == PipelineCapture::kNothing) return 0;
  const VkPipelineCreateFlags statistics = VK_PIPELINE_CREATE_CAPTURE_STATISTICS_BIT_KHR;
  if (capture == PipelineCapture::kStatistics) return statistics;
  return statistics | VK_PIPELINE_CREATE_CAPTURE_INTERNAL_REPRESENTATIONS_BIT_KHR;
}

VkDescriptorSetLayout create_set_layout(const Device& device, std::uint32_t binding_count) {
  std::vector<VkDescriptorSetLayoutBinding> bindings(binding_count);
  for (std::uint32_t i = 0; i < binding_count; ++i) {
    bindings[i] = {.binding = i,
                   .descriptorType = VK_DESCRIPTOR_TYPE_STORAGE_BUFFER,
                   .descriptorCount = 1,
                   .stageFlags = VK_SHADER_STAGE_COMPUTE_BIT,
                   .pImmutableSamplers = nullptr};
  }
  const VkDescriptorSetLayoutCreateInfo info = {.sType = VK_STRUCTURE_TYPE_DESCRIPTOR_SET_LAYOUT_CREATE_INFO,
                                                .pNext = nullptr,
                                                .flags = 0,
                                                .bindingCount = binding_count,
                                                .pBindings = bindings.data()};
  VkDescriptorSetLayout layout = VK_NULL_HANDLE;
  VK_CHECK(device.table().vkCreateDescriptorSetLayout(device.handle(), &info, nullptr, &layout));
  return layout;
}

VkPipelineLayout create_pipeline_layout(const Device& device, VkDescriptorSetLayout set_layout,
                                        std::uint32_t push_bytes) {
  const VkPushConstantRange range = {
      .stageFlags = VK_SHADER_STAGE_COMPUTE_BIT, .offset = 0, .size = push_bytes};
  const VkPipelineLayoutCreateInfo info = {.sType = VK_STRUCTURE_TYPE_PIPELINE_LAYOUT_CREATE_INFO,
                                           .pNext = nullptr,
                                           .flags = 0,
                                           .setLayoutCount = 1,
                                           .pSetLayouts = &set_layout,
                                           .pushConstantRangeCount = push_bytes == 0 ? 0u : 1u,
                                           .pPushConstantRanges = &range};
  VkPipelineLayout layout = VK_NULL_HANDLE;
  VK_CHECK(device.table().vkCreatePipelineLayout(device.handle(), &info, nullptr, &layout));
  return layout;
}

VkPipeline create_pipeline(const Device& device, VkPipelineCache cache, VkPipelineLayout layout,
                           VkPipelineCreateFlags flags, const PipelineKey& key,
                           std::span<const std::uint32_t> spirv) {
  const VkShaderModuleCreateInfo module_info = {.sType = VK_STRUCTURE_TYPE_SHADER_MODULE_CREATE_INFO,
                                                .pNext = nullptr,
                                                .flags = 0,
                                                .codeSize = spirv.size_bytes(),
                                                .pCode = spirv.data()};
  VkShaderModule module = VK_NULL_HANDLE;
  VK_CHECK(device.table().vkCreateShaderModule(device.handle(), &module_info, nullptr, &module), key.stem);

  std::vector<VkSpecializationMapEntry> entries;
  for (std::uint32_t i = 0; i < key.spec_constants.size(); ++i) {
    entries.push_back({.constantID = i, .offset = i * 4, .size = 4});
  }
  const VkSpecializationInfo specialization = {.mapEntryCount = static_cast<std::uint32_t>(entries.size()),
                                               .pMapEntries = entries.data(),
                                               .dataSize = key.spec_constants.size() * 4,
                                               .pData = key.spec_constants.data()};
  VkPipelineShaderStageRequiredSubgroupSizeCreateInfo subgroup{};
  subgroup.sType = VK_STRUCTURE_TYPE_PIPELINE_SHADER_STAGE_REQUIRED_SUBGROUP_SIZE_CREATE_INFO;
  subgroup.requiredSubgroupSize = key.subgroup_size;
  VkComputePipelineCreateInfo info{};
  info.sType = VK_STRUCTURE_TYPE_COMPUTE_PIPELINE_CREATE_INFO;
  info.flags = flags;
  info.layout = layout;
  info.stage.sType = VK_STRUCTURE_TYPE_PIPELINE_SHADER_STAGE_CREATE_INFO;
  info.stage.stage = VK_SHADER_STAGE_COMPUTE_BIT;
  info.stage.module = module;
  info.stage.pName = "main";
  info.stage.pSpecializationInfo = &specialization;
  // Where all subgroups are of one size, it needs no requiring, and some drivers do not let it be required.
  if (key.subgroup_size != 0 && device.caps().subgroup_size_control) {
    info.stage.pNext = &subgroup;
    info.stage.flags = VK_PIPELINE_SHADER_STAGE_CREATE_REQUIRE_FULL_SUBGROUPS_BIT;
  }
  VkPipeline pipeline = VK_NULL_HANDLE;
  const VkResult result =
      device.table().vkCreateComputePipelines(device.handle(), cache, 1, &info, nullptr, &pipeline);
  device.table().vkDestroyShaderModule(device.handle(), module, nullptr);
  check_result(result, "vkCreateComputePipelines", describe(key));
  return pipeline;
}

/// The macros of the key, and those that a defect of the driver asks for.
std::vector<Macro> macros_of(const PipelineKey& key, const DeviceCaps& caps) {
  std::vector<Macro> macros = key.macros;
  // See shaders/include/words64.glsl.
  if (caps.is_cpu() && caps.subgroup_size >= 16) macros.push_back({"SHIFTED_HALVES", "1"});
  return macros;
}

}  // namespace

PipelineCache::PipelineCache(const Device& device, ShaderCompiler& compiler, std::filesystem::path cache_dir,
                             PipelineCapture capture)
    : device_(device), compiler_(compiler), flags_(capture_flags(device, capture)) {
  std::optional<std::string> data;
  if (!cache_dir.empty()) {
    file_ = cache_dir / "pipelines" / cache_file_name(device);
    data = read_cache_file(file_);
  }
  VkPipelineCacheCreateInfo info{};
  info.sType = VK_STRUCTURE_TYPE_PIPELINE_CACHE_CREATE_INFO;
  if (data && is_of_device(*data, device)) {
    info.initialDataSize = data->size();
    info.pInitialData = data->data();
  }
  VK_CHECK(device.table().vkCreatePipelineCache(device.handle(), &info, nullptr, &cache_));
}

PipelineCache::~PipelineCache() {
  try {
    save();
  } catch (...) {
    // Only a lost device gets here; the next start compiles again.
  }
  const VolkDeviceTable& table = device_.table();
  for (const auto& [key, pipeline] : pipelines_) {
    table.vkDestroyPipeline(device_.handle(), pipeline.pipeline, nullptr);
  }
  for (const auto& [key, layout] : layouts_) {
    table.vkDestroyPipelineLayout(device_.handle(), layout.pipeline, nullptr);
    table.vkDestroyDescriptorSetLayout(device_.handle(), layout.set, nullptr);
  }
  table.vkDestroyPipelineCache(device_.handle(), cache_, nullptr);
}

const Pipeline& PipelineCache::get(const PipelineKey& key) {
  if (const auto found = pipelines_.find(key); found != pipelines_.end()) return found->second;
  return build(key, compiler_.compile(key.stem, macros_of(key, device_.caps())));
}

const Pipeline& PipelineCache::get(const PipelineKey& key, std::string_view text) {
  if (const auto found = pipelines_.find(key); found != pipelines_.end()) return found->second;
  return build(key, compiler_.compile_text(key.stem, text, key.macros));
}

void PipelineCache::prepare(std::span<const PipelineKey> keys) {
  struct Job {
    const PipelineKey* key;
    CompiledShader shader;
    Pipeline pipeline;
    std::exception_ptr error;
  };
  std::vector<Job> jobs;
  std::set<PipelineKey> seen;
  for (const PipelineKey& key : keys) {
    if (pipelines_.contains(key) || !seen.insert(key).second) continue;
    CompiledShader shader = compiler_.compile(key.stem, macros_of(key, device_.caps()));
    Pipeline layout = layout_of(key, shader);
    jobs.push_back({&key, std::move(shader), std::move(layout), nullptr});
  }
  {
    std::atomic<std::size_t> next = 0;
    const auto work = [&] {
      for (std::size_t i = next++; i < jobs.size(); i = next++) {
        Job& job = jobs[i];
        try {
          job.pipeline = create(*job.key, job.pipeline, job.shader);
        } catch (...) {
          job.error = std::current_exception();
        }
      }
    };
    std::vector<std::jthread> threads;
    const std::size_t most = most_threads(device_);
    for (std::size_t i = 0; i < std::min(most, jobs.size()); ++i) threads.emplace_back(work);
  }
  std::exception_ptr error;
  for (const Job& job : jobs) {
    if (job.error == nullptr) keep(*job.key, job.pipeline);
    if (job.error != nullptr && error == nullptr) error = job.error;
  }
  if (error != nullptr) std::rethrow_exception(error);
}

Pipeline PipelineCache::layout_of(const PipelineKey& key, const CompiledShader& shader) {
  const DeviceCaps& caps = device_.caps();
  check_contract(key, shader.interface, caps);
  VKGPT_CHECK(key.push_bytes % 4 == 0 && key.push_bytes <= caps.max_push_constant_bytes, "{}: {} bytes",
              key.stem, key.push_bytes);
  VKGPT_CHECK(
      key.subgroup_size == 0 || (knows_subgroup_size(caps) && key.subgroup_size >= caps.min_subgroup_size &&
                                 key.subgroup_size <= caps.max_subgroup_size),
      "{}: subgroup size {}", key.stem, key.subgroup_size);

  Layout& layout = layouts_[{key.binding_count, key.push_bytes}];
  if (layout.set == VK_NULL_HANDLE) layout.set = create_set_layout(device_, key.binding_count);
  if (layout.pipeline == VK_NULL_HANDLE) {
    layout.pipeline = create_pipeline_layout(device_, layout.set, key.push_bytes);
  }
  Pipeline pipeline;
  pipeline.layout = layout.pipeline;
  pipeline.set_layout = layout.set;
  pipeline.interface = shader.interface;
  pipeline.spirv_bytes = shader.words.size() * sizeof(std::uint32_t);
  return pipeline;
}

const Pipeline& PipelineCache::build(const PipelineKey& key, const CompiledShader& shader) {
  return keep(key, create(key, layout_of(key, shader), shader));
}

Pipeline PipelineCache::create(const PipelineKey& key, const Pipeline& layout,
                               const CompiledShader& shader) const {
  Pipeline pipeline = layout;
  const auto start = std::chrono::steady_clock::now();
  pipeline.pipeline = create_pipeline(device_, cache_, layout.layout, flags_, key, shader.words);
  pipeline.build_seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
  return pipeline;
}

const Pipeline& PipelineCache::keep(const PipelineKey& key, const Pipeline& pipeline) {
  const Pipeline& kept = pipelines_.emplace(key, pipeline).first->second;
  device_.set_name(VK_OBJECT_TYPE_PIPELINE, reinterpret_cast<std::uint64_t>(kept.pipeline), describe(key));
  return kept;
}

std::set<std::string> PipelineCache::stems() const {
  std::set<std::string> stems;
  for (const auto& [key, pipeline] : pipelines_) stems.insert(key.stem);
  return stems;
}

void PipelineCache::save() {
  if (file_.empty() || pipelines_.size() == saved_count_) return;
  const VolkDeviceTable& table = device_.table();
  std::size_t size = 0;
  VK_CHECK(table.vkGetPipelineCacheData(device_.handle(), cache_, &size, nullptr));
  std::vector<std::byte> data(size);
  VK_CHECK(table.vkGetPipelineCacheData(device_.handle(), cache_, &size, data.data()));
  data.resize(size);
  write_cache_file(file_, data);
  saved_count_ = pipelines_.size();
}

}  // namespace vkgpt::vk
