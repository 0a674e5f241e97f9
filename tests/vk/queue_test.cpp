#include "vkgpt/vk/queue.hpp"

#include <array>
#include <chrono>
#include <utility>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "vkgpt/core/check.hpp"
#include "vkgpt/vk/result.hpp"
#include "vkgpt/vk/timestamps.hpp"

#include "gpu_context.hpp"

namespace vkgpt::vk {
namespace {

// Work whose duration depends on `rounds`.
constexpr const char* kSpin = R"(#version 460
layout(local_size_x = 32) in;
layout(set = 0, binding = 0) buffer Out { uint y[]; };
layout(push_constant) uniform Push { uint rounds; };
void main() {
  uint value = gl_GlobalInvocationID.x;
  for (uint i = 0; i < rounds; ++i) value = value * 1664525u + 1013904223u;
  y[gl_GlobalInvocationID.x] = value;
}
)";

class GpuQueue : public testing::Test {
 protected:
  CommandBuffer record(std::uint32_t rounds, Timestamps* timestamps = nullptr) {
    CommandBuffer commands(context_.device(), "spin");
    commands.begin();
    if (timestamps != nullptr) {
      commands.reset_queries(timestamps->pool(), 0, timestamps->count());
      commands.write_timestamp(timestamps->pool(), 0);
    }
    commands.dispatch(pipeline_, set_, {&rounds, 1}, {1, 1, 1});
    if (timestamps != nullptr) {
      commands.barrier();
      commands.write_timestamp(timestamps->pool(), 1);
    }
    commands.end();
    return commands;
  }

  Context& context_ = test::shared_context();
  Queue& queue_ = context_.queue();
  const Pipeline& pipeline_ = context_.pipelines().get({.stem = "test_spin",
                                                        .macros = {},
                                                        .spec_constants = {},
                                                        .subgroup_size = 0,
                                                        .binding_count = 1,
                                                        .push_bytes = 4},
                                                       kSpin);
  Buffer out_{context_.device(), 128, MemoryKind::kDevice, "out"};
  DescriptorPool sets_{context_.device(), 1, 1};
  VkDescriptorSet set_ = sets_.allocate(pipeline_, std::array{BufferRange{out_.handle(), 0, 128}});
};

TEST_F(GpuQueue, CountsSubmissionsOnItsTimeline) {
  const CommandBuffer slow = record(2'000'000);
  const CommandBuffer quick = record(1);
  queue_.wait_idle();
  const std::uint64_t before = queue_.submitted();
  EXPECT_EQ(queue_.completed(), before);
  EXPECT_EQ(queue_.submit(slow, "slow"), before + 1);
  EXPECT_EQ(queue_.submit(quick, "quick"), before + 2);
  EXPECT_EQ(queue_.submitted(), before + 2);
  const double waited = queue_.waited_seconds();
  queue_.wait(before + 1);
  EXPECT_GE(queue_.completed(), before + 1);
  queue_.wait_idle();
  EXPECT_EQ(queue_.completed(), before + 2);
  EXPECT_GT(queue_.waited_seconds(), waited);
  EXPECT_NO_THROW(queue_.wait(before + 1));
  EXPECT_THROW(queue_.wait(before + 3), CheckFailure);
}

TEST_F(GpuQueue, TimestampsMeasureTheWorkBetweenThem) {
  if (context_.caps().timestamp_period_ns == 0) GTEST_SKIP() << "the device has no timestamps";
  double durations[2] = {};
  for (const int i : {0, 1}) {
    Timestamps timestamps(context_.device(), 2);
    const CommandBuffer commands = record(i == 0 ? 1'000 : 3'000'000, &timestamps);
    const auto start = std::chrono::steady_clock::now();
    queue_.wait(queue_.submit(commands, "timed"));
    const double host_ns =
        std::chrono::duration<double, std::nano>(std::chrono::steady_clock::now() - start).count();
    const std::vector<double> ns = timestamps.read_ns();
    ASSERT_EQ(ns.size(), 2u);
    durations[i] = ns[1] - ns[0];
    EXPECT_GE(durations[i], 0);
    EXPECT_LE(durations[i], host_ns);
  }
  EXPECT_GT(durations[1], durations[0]);
}

/// Stands in for a driver whose device is lost while the host waits.
VKAPI_ATTR VkResult VKAPI_CALL lose_device(VkDevice, const VkSemaphoreWaitInfo*, std::uint64_t) {
  return VK_ERROR_DEVICE_LOST;
}

TEST_F(GpuQueue, DeviceLossCarriesTheLabelOfTheWork) {
  const CommandBuffer commands = record(1);
  const std::uint64_t value = queue_.submit(commands, "micro_step part 2");
  VolkDeviceTable& table = context_.device().mutable_table();
  const PFN_vkWaitSemaphores real = table.vkWaitSemaphores;
  table.vkWaitSemaphores = lose_device;
  try {
    queue_.wait(value);
    ADD_FAILURE() << "the loss went unnoticed";
  } catch (const DeviceLost& e) {
    EXPECT_THAT(e.what(), testing::HasSubstr("micro_step part 2"));
  }
  table.vkWaitSemaphores = real;
  queue_.wait(value);
}

/// Stands in for a device that hangs: nothing completes, and the driver does not say why.
VKAPI_ATTR VkResult VKAPI_CALL hang(VkDevice, const VkSemaphoreWaitInfo*, std::uint64_t) {
  return VK_TIMEOUT;
}

TEST_F(GpuQueue, AHangIsSaidAndEndsAsALossThatNamesTheWork) {
  const CommandBuffer commands = record(1);
  Queue queue(context_.device());
  const std::uint64_t value = queue.submit(commands, "micro_step part 3");
  queue.wait(value);
  VolkDeviceTable& table = context_.device().mutable_table();
  const PFN_vkWaitSemaphores real = std::exchange(table.vkWaitSemaphores, hang);
  testing::internal::CaptureStderr();
  try {
    queue.wait(value);
    ADD_FAILURE() << "the hang went unnoticed";
  } catch (const DeviceLost& e) {
    EXPECT_THAT(e.what(), testing::HasSubstr("the GPU hangs"));
    EXPECT_THAT(e.what(), testing::HasSubstr("micro_step part 3"));
  }
  EXPECT_THAT(testing::internal::GetCapturedStderr(),
              testing::HasSubstr("waiting for the GPU, 60 s so far: 'micro_step part 3'"));
  table.vkWaitSemaphores = real;
}

}  // namespace
}  // namespace vkgpt::vk
