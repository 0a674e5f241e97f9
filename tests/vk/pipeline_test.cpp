#include "vkgpt/vk/pipeline.hpp"

#include <array>
#include <cstddef>
#include <filesystem>
#include <fstream>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include <gtest/gtest.h>

#include "vkgpt/core/check.hpp"
#include "vkgpt/core/error.hpp"
#include "vkgpt/core/file.hpp"

#include "gpu_context.hpp"
#include "support/temp_directory.hpp"
#include "vk/cache_file.hpp"

namespace vkgpt::vk {
namespace {

constexpr const char* kStore = R"(#version 460
#extension GL_KHR_shader_subgroup_basic : require
layout(local_size_x_id = 0) in;
layout(set = 0, binding = 0) buffer Out { uint y[]; };
void main() { y[gl_GlobalInvocationID.x] = gl_SubgroupSize; }
)";

PipelineKey store_key(std::uint32_t subgroup_size = 0) {
  return {.stem = "test_store",
          .macros = {},
          .spec_constants = {64},
          .subgroup_size = subgroup_size,
          .binding_count = 1,
          .push_bytes = 0};
}

// Bytes that the driver was given for a new cache. Its answer would not do: lavapipe's caches are empty.
std::size_t g_loaded_bytes = 0;
PFN_vkCreatePipelineCache g_create = nullptr;

VKAPI_ATTR VkResult VKAPI_CALL watch_create(VkDevice device, const VkPipelineCacheCreateInfo* info,
                                            const VkAllocationCallbacks* allocator, VkPipelineCache* cache) {
  g_loaded_bytes = info->initialDataSize;
  return g_create(device, info, allocator, cache);
}

class GpuPipelineCache : public testing::Test {
 protected:
  void SetUp() override {
    VolkDeviceTable& table = context_.device().mutable_table();
    g_create = std::exchange(table.vkCreatePipelineCache, watch_create);
  }
  void TearDown() override { context_.device().mutable_table().vkCreatePipelineCache = g_create; }

  std::filesystem::path the_file() const {
    const std::vector<Path> files = list_directory(directory_.path() / "pipelines");
    EXPECT_EQ(files.size(), 1u);
    return files.front();
  }

  Context& context_ = test::shared_context();
  TempDirectory directory_;
  ShaderCompiler compiler_{directory_.path()};
};

TEST_F(GpuPipelineCache, KeepsPipelinesAndSharesLayouts) {
  PipelineCache cache(context_.device(), compiler_, {});
  const Pipeline& first = cache.get(store_key(), kStore);
  EXPECT_EQ(&cache.get(store_key(), kStore), &first);
  PipelineKey other = store_key();
  other.spec_constants = {32};
  const Pipeline& second = cache.get(other, kStore);
  EXPECT_NE(first.pipeline, second.pipeline);
  EXPECT_EQ(first.layout, second.layout);
  EXPECT_EQ(cache.size(), 2u);
}

TEST_F(GpuPipelineCache, IsSavedWhenItGrewAndLoadedAgain) {
  {
    PipelineCache cache(context_.device(), compiler_, directory_.path());
    EXPECT_EQ(g_loaded_bytes, 0u);
    cache.save();
    EXPECT_FALSE(std::filesystem::exists(directory_.path() / "pipelines"));
    cache.get(store_key(), kStore);
  }
  const std::string saved = read_file(the_file());
  PipelineCache cache(context_.device(), compiler_, directory_.path());
  EXPECT_GE(g_loaded_bytes, sizeof(VkPipelineCacheHeaderVersionOne));
  EXPECT_LT(g_loaded_bytes, saved.size());
  cache.get(store_key(), kStore);
  EXPECT_EQ(compiler_.compiled_count(), 1);
}

TEST_F(GpuPipelineCache, DamagedFilesAreNotLoadedButReplaced) {
  {
    PipelineCache(context_.device(), compiler_, directory_.path()).get(store_key(), kStore);
  }
  const std::string intact = read_file(the_file());
  std::string flipped = intact;
  flipped.back() = static_cast<char>(flipped.back() ^ 1);
  for (const std::string& contents : {std::string(), intact.substr(0, intact.size() / 2), flipped}) {
    std::ofstream(the_file(), std::ios::binary) << contents;
    PipelineCache cache(context_.device(), compiler_, directory_.path());
    EXPECT_EQ(g_loaded_bytes, 0u);
    cache.get(store_key(), kStore);
    cache.save();
    EXPECT_EQ(read_file(the_file()).size(), intact.size());
  }
}

TEST_F(GpuPipelineCache, FilesOfAnotherDeviceAreNotLoaded) {
  {
    PipelineCache(context_.device(), compiler_, directory_.path()).get(store_key(), kStore);
  }
  std::string payload = read_cache_file(the_file()).value();
  payload[offsetof(VkPipelineCacheHeaderVersionOne, deviceID)] ^= 1;
  write_cache_file(the_file(), std::as_bytes(std::span(payload)));
  ASSERT_TRUE(read_cache_file(the_file()).has_value());
  const PipelineCache cache(context_.device(), compiler_, directory_.path());
  EXPECT_EQ(g_loaded_bytes, 0u);
}

TEST_F(GpuPipelineCache, RequiredSubgroupSizeHolds) {
  const DeviceCaps& caps = context_.caps();
  if (!caps.subgroup_size_control) GTEST_SKIP() << "the device has no subgroup size control";
  PipelineCache cache(context_.device(), compiler_, {});
  for (std::uint32_t size = caps.min_subgroup_size; size <= caps.max_subgroup_size; size *= 2) {
    const Pipeline& pipeline = cache.get(store_key(size), kStore);
    const Buffer out(context_.device(), 256, MemoryKind::kDevice, "out");
    DescriptorPool sets(context_.device(), 1, 1);
    CommandBuffer commands(context_.device(), "subgroup size");
    commands.begin();
    commands.dispatch(pipeline, sets.allocate(pipeline, std::array{BufferRange{out.handle(), 0, 256}}), {},
                      {1, 1, 1});
    commands.end();
    context_.queue().wait(context_.queue().submit(commands, "subgroup size"));
    std::vector<std::uint32_t> sizes(64);
    context_.staging().download(out, 0, std::as_writable_bytes(std::span(sizes)));
    EXPECT_EQ(sizes, std::vector<std::uint32_t>(64, size));
  }
  EXPECT_THROW(cache.get(store_key(caps.max_subgroup_size * 2), kStore), CheckFailure);
}

TEST_F(GpuPipelineCache, KeysThatDoNotFitTheirShaderAreRefused) {
  PipelineCache cache(context_.device(), compiler_, {});
  const auto difference = [&](const PipelineKey& host) -> std::string {
    try {
      cache.get(host, kStore);
    } catch (const Error& error) {
      return error.what();
    }
    return "none";
  };
  PipelineKey bindings = store_key(), push = store_key(), constants = store_key();
  bindings.binding_count = 2;
  push.push_bytes = 4;
  constants.spec_constants = {64, 1};
  EXPECT_EQ(difference(bindings), "kernel test_store [64]: its shader has 1 bindings, the host binds 2");
  EXPECT_EQ(difference(push),
            "kernel test_store [64]: its shader has 0 bytes of push constants, the host pushes 4");
  EXPECT_EQ(difference(constants),
            "kernel test_store [64,1]: its shader has 1 specialization constants, the host sets 2");
  EXPECT_EQ(cache.size(), 0u);
}

}  // namespace
}  // namespace vkgpt::vk
