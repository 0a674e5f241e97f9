// Kernels that read by address ask for no bounds: their cases in memory that ends with each tensor, where a
// read behind one ends the process.

#include "support/fenced_memory.hpp"

#include <algorithm>
#include <csignal>
#include <cstdlib>
#include <memory>
#include <string_view>
#include <vector>

#include <gtest/gtest.h>

#include "vkgpt/check/op_table.hpp"
#include "vkgpt/core/format.hpp"

#include "gpu_context.hpp"

namespace vkgpt::check {
namespace {

bool reads_by_address(const plan::Plan& plan) {
  return std::ranges::any_of(plan.segments, [](const plan::Segment& segment) {
    return std::ranges::any_of(segment.dispatches,
                               [](const plan::Dispatch& dispatch) { return !dispatch.addresses.empty(); });
  });
}

class GpuFencedMemory : public testing::Test {
 protected:
  void SetUp() override {
    if (!test::shared_context().caps().is_cpu()) GTEST_SKIP() << "a GPU has memory of its own";
    context_ = test::open_fenced();
  }

  /// Every case of `op` that reads by address, on its devices, which dispatch `max_groups` in x (0 = theirs).
  void check(std::string_view op, std::uint32_t max_groups) {
    int runs = 0;
    const std::span tables = op_tables();
    for (const Case& c : std::ranges::find(tables, op, &OpTable::op)->cases) {
      if (c.dtype != DType::kF32) continue;
      for (Device device : c.devices) {
        device.max_groups = max_groups;
        Trial trial(*context_, target_of(context_->target(), op, device), Purpose::kProofOfEnds);
        c.build(trial);
        if (!reads_by_address(trial.plan())) continue;
        ++runs;
        SCOPED_TRACE(vkgpt::format("{} {} on the device {}", op, c.variant, device.name));
        EXPECT_EQ(run_trial(trial).failure, "");
      }
    }
    if (runs == 0) GTEST_SKIP() << "the device reads nothing by address";
  }

  std::unique_ptr<vk::Context> context_;
};

TEST_F(GpuFencedMemory, EndsWhereABufferDoes) {
  const vk::Buffer buffer(context_->device(), 4100, vk::MemoryKind::kReadback, "fenced");
  const std::byte* bytes = buffer.mapped();
  EXPECT_EQ(bytes[4099], std::byte{0});
  EXPECT_EXIT(std::exit(static_cast<int>(bytes[4112])), testing::KilledBySignal(SIGSEGV), "");
}

TEST_F(GpuFencedMemory, AttentionReadsNothingBehindItsTensors) {
  check("attention", 0);
}

TEST_F(GpuFencedMemory, WorkgroupsLeftOverByAFoldedGridReadNothingBehindATensor) {
  check("attention", 3);
}

TEST_F(GpuFencedMemory, ProductsReadNothingBehindTheirTensors) {
  check("matmul", 0);
}

}  // namespace
}  // namespace vkgpt::check
