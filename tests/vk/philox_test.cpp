// shaders/include/philox.glsl gives the same words as core/rng.hpp.

#include <array>
#include <span>
#include <vector>

#include <gtest/gtest.h>

#include "vkgpt/core/rng.hpp"

#include "gpu_context.hpp"

namespace vkgpt::vk {
namespace {

// Block i of the stream, and the first word of it as a uniform number.
constexpr const char* kStream = R"(#version 460
#include "philox.glsl"
layout(local_size_x = 32) in;
layout(set = 0, binding = 0) writeonly buffer Words { uvec4 words[]; };
layout(set = 0, binding = 1) writeonly buffer Uniforms { float uniforms[]; };
layout(push_constant) uniform Push { uvec2 seed; uint purpose; uint sub; uint step_index; uint index; };
void main() {
  const uint i = gl_GlobalInvocationID.x;
  const uvec4 block = rng_block(seed, purpose, sub, step_index, index, i);
  words[i] = block;
  uniforms[i] = uniform_float(block.x);
}
)";

TEST(GpuPhilox, EqualsItsTwinInCore) {
  constexpr std::uint32_t kBlocks = 256;
  Context& context = test::shared_context();
  const Pipeline& pipeline = context.pipelines().get({.stem = "test_philox",
                                                      .macros = {},
                                                      .spec_constants = {},
                                                      .subgroup_size = 0,
                                                      .binding_count = 2,
                                                      .push_bytes = 24},
                                                     kStream);
  const Buffer words(context.device(), kBlocks * 16, MemoryKind::kDevice, "words");
  const Buffer uniforms(context.device(), kBlocks * 4, MemoryKind::kDevice, "uniforms");
  DescriptorPool sets(context.device(), 1, 2);
  const VkDescriptorSet set =
      sets.allocate(pipeline, std::array{BufferRange{words.handle(), 0, words.size()},
                                         BufferRange{uniforms.handle(), 0, uniforms.size()}});
  const RngStream streams[] = {
      {},
      {.seed = 0x0123456789abcdef, .purpose = RngPurpose::kSampling, .sub = 7, .step = 1000, .index = 3},
      {.seed = ~0ull, .purpose = RngPurpose::kDropout, .sub = (1u << 24) - 1, .step = ~0u, .index = ~0u},
  };
  for (const RngStream& stream : streams) {
    const std::uint32_t push[] = {static_cast<std::uint32_t>(stream.seed),
                                  static_cast<std::uint32_t>(stream.seed >> 32),
                                  static_cast<std::uint32_t>(stream.purpose),
                                  stream.sub,
                                  stream.step,
                                  stream.index};
    CommandBuffer commands(context.device(), "philox");
    commands.begin();
    commands.dispatch(pipeline, set, push, {kBlocks / 32, 1, 1});
    commands.end();
    context.queue().wait(context.queue().submit(commands, "philox"));
    std::vector<PhiloxCounter> got(kBlocks);
    context.staging().download(words, 0, std::as_writable_bytes(std::span(got)));
    std::vector<float> got_uniforms(kBlocks);
    context.staging().download(uniforms, 0, std::as_writable_bytes(std::span(got_uniforms)));
    for (std::uint32_t i = 0; i < kBlocks; ++i) {
      ASSERT_EQ(got[i], stream.block(i)) << i;
      ASSERT_EQ(got_uniforms[i], uniform_float(got[i][0])) << i;
    }
  }
}

}  // namespace
}  // namespace vkgpt::vk
