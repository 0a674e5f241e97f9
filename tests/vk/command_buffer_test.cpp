#include "vkgpt/vk/command_buffer.hpp"

#include <cstddef>
#include <numeric>
#include <span>
#include <vector>

#include <gtest/gtest.h>

#include "vkgpt/core/check.hpp"

#include "gpu_context.hpp"

namespace vkgpt::vk {
namespace {

// out[i] = scale * in[i] + bias, one invocation an element; scale is pushed, bias is a specialization
// constant, the workgroup size another.
constexpr const char* kAffine = R"(#version 460
layout(local_size_x_id = 0) in;
layout(constant_id = 1) const uint kBias = 0;
layout(set = 0, binding = 0) readonly buffer In { uint x[]; };
layout(set = 0, binding = 1) writeonly buffer Out { uint y[]; };
layout(push_constant) uniform Push { uint n; uint scale; };
void main() {
  const uint i = gl_GlobalInvocationID.x;
  if (i < n) y[i] = scale * x[i] + kBias + EXTRA;
}
)";

PipelineKey affine_key(std::uint32_t bias, const char* extra) {
  return {.stem = "test_affine",
          .macros = {{"EXTRA", extra}},
          .spec_constants = {32, bias},
          .subgroup_size = 0,
          .binding_count = 2,
          .push_bytes = 8};
}

class GpuCommandBuffer : public testing::Test {
 protected:
  static constexpr std::uint32_t kCount = 1003;
  static constexpr std::uint64_t kBytes = kCount * 4;

  void SetUp() override {
    std::vector<std::uint32_t> ramp(kCount);
    std::iota(ramp.begin(), ramp.end(), 0u);
    context_.staging().upload(in_, 0, std::as_bytes(std::span(ramp)));
    context_.staging().fill(out_, 0, kBytes, 0xffffffff);
  }

  VkDescriptorSet bind(const Pipeline& pipeline, const Buffer& x, const Buffer& y) {
    const BufferRange ranges[] = {{x.handle(), 0, kBytes}, {y.handle(), 0, kBytes}};
    return sets_.allocate(pipeline, ranges);
  }

  void dispatch(const Pipeline& pipeline, VkDescriptorSet set, std::uint32_t scale) {
    const std::uint32_t push[] = {kCount, scale};
    commands_.dispatch(pipeline, set, push, {(kCount + 31) / 32, 1, 1});
  }

  std::vector<std::uint32_t> read(const Buffer& buffer) {
    std::vector<std::uint32_t> words(kCount);
    context_.staging().download(buffer, 0, std::as_writable_bytes(std::span(words)));
    return words;
  }

  Context& context_ = test::shared_context();
  Buffer in_{context_.device(), kBytes, MemoryKind::kDevice, "in"};
  Buffer out_{context_.device(), kBytes, MemoryKind::kDevice, "out"};
  DescriptorPool sets_{context_.device(), 4, 8};
  CommandBuffer commands_{context_.device(), "test"};
};

TEST_F(GpuCommandBuffer, DispatchesWithPushAndSpecializationConstantsAndMacros) {
  const Pipeline& pipeline = context_.pipelines().get(affine_key(5, "100"), kAffine);
  commands_.begin();
  commands_.begin_label("affine");
  dispatch(pipeline, bind(pipeline, in_, out_), 3);
  commands_.end_label();
  commands_.end();
  context_.queue().wait(context_.queue().submit(commands_, "affine"));
  const std::vector<std::uint32_t> result = read(out_);
  for (std::uint32_t i = 0; i < kCount; ++i) ASSERT_EQ(result[i], 3 * i + 105) << i;
}

TEST_F(GpuCommandBuffer, BarriersOrderDependentDispatches) {
  const Pipeline& pipeline = context_.pipelines().get(affine_key(1, "0"), kAffine);
  commands_.begin();
  dispatch(pipeline, bind(pipeline, in_, out_), 2);  // out = 2 i + 1
  commands_.barrier_of_dispatches();
  dispatch(pipeline, bind(pipeline, out_, in_), 10);  // in = 20 i + 11
  commands_.barrier();
  commands_.copy({in_.handle(), 4, 8}, {out_.handle(), 0, 8});
  commands_.barrier();
  commands_.fill({out_.handle(), 8, 4}, 77);
  commands_.end();
  context_.queue().wait(context_.queue().submit(commands_, "chain"));
  const std::vector<std::uint32_t> in = read(in_);
  for (std::uint32_t i = 0; i < kCount; ++i) ASSERT_EQ(in[i], 20 * i + 11) << i;
  const std::vector<std::uint32_t> out = read(out_);
  EXPECT_EQ(out[0], 31u);
  EXPECT_EQ(out[1], 51u);
  EXPECT_EQ(out[2], 77u);
  EXPECT_EQ(out[3], 7u);
}

TEST_F(GpuCommandBuffer, IsReplayedAndOrderedAgainstOtherSubmissionsInFlight) {
  const Pipeline& pipeline = context_.pipelines().get(affine_key(1, "0"), kAffine);
  // Two recordings that feed each other: in -> out -> in, submitted without waiting between them.
  CommandBuffer forth(context_.device(), "forth");
  CommandBuffer back(context_.device(), "back");
  const auto record = [&](CommandBuffer& commands, const Buffer& x, const Buffer& y) {
    const std::uint32_t push[] = {kCount, 1};
    commands.begin();
    commands.dispatch(pipeline, bind(pipeline, x, y), push, {(kCount + 31) / 32, 1, 1});
    commands.end();
  };
  record(forth, in_, out_);
  record(back, out_, in_);
  std::uint64_t last[2] = {0, 0};
  for (int i = 0; i < 10; ++i) {
    context_.queue().wait(last[0]);
    last[0] = context_.queue().submit(forth, "forth");
    context_.queue().wait(last[1]);
    last[1] = context_.queue().submit(back, "back");
  }
  const std::vector<std::uint32_t> result = read(in_);  // waits for the queue
  for (std::uint32_t i = 0; i < kCount; ++i) ASSERT_EQ(result[i], i + 20) << i;
}

TEST_F(GpuCommandBuffer, RejectsWhatTheDeviceCannotDo) {
  const Pipeline& pipeline = context_.pipelines().get(affine_key(1, "0"), kAffine);
  const VkDescriptorSet set = bind(pipeline, in_, out_);
  commands_.begin();
  EXPECT_THROW(commands_.dispatch(pipeline, set, {}, {0, 1, 1}), CheckFailure);
  EXPECT_THROW(commands_.copy({in_.handle(), 0, 8}, {out_.handle(), 0, 4}), CheckFailure);
  EXPECT_THROW(commands_.fill({in_.handle(), 2, 4}, 0), CheckFailure);
  commands_.end();
  const BufferRange misaligned[] = {{in_.handle(), 1, 4}, {out_.handle(), 0, 4}};
  EXPECT_THROW(sets_.allocate(pipeline, misaligned), CheckFailure);
}

}  // namespace
}  // namespace vkgpt::vk
