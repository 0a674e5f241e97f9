#include "vkgpt/plan/tensor_store.hpp"

#include <algorithm>
#include <cstdint>
#include <numeric>
#include <vector>

#include <gtest/gtest.h>

#include "vkgpt/ops/exchange.hpp"
#include "vkgpt/plan/executor.hpp"
#include "vkgpt/plan/plan_builder.hpp"

#include "gpu_context.hpp"

namespace vkgpt::plan {
namespace {

/// "out" = the upload "in", 100 words.
Schedule copying(const vk::DeviceCaps& caps) {
  PlanBuilder builder(caps);
  const Tensor in = builder.upload("in", {100}, DType::kU32);
  builder.begin_segment("copy");
  ops::exchange_pack(builder, in, builder.persistent("out", {100}, Role::kCache, DType::kU32));
  return make_schedule(std::move(builder).finish(), caps);
}

TEST(GpuTensorStore, KernelsReadWhatTheHostWroteLastInPlaceAndCopied) {
  vk::Context& context = test::shared_context();
  for (const auto uploads : {TensorStore::Uploads::kInPlace, TensorStore::Uploads::kCopied}) {
    TensorStore store(context, uploads);
    Executor executor(context, store, copying(context.caps()));
    const bool is_copied = uploads == TensorStore::Uploads::kCopied;
    EXPECT_EQ(store.copies(executor.schedule(), 0, 0).size(), is_copied ? 1U : 0U);
    std::vector<std::uint32_t> out(100), expected(100);
    for (std::uint32_t round = 0; round < 4; ++round) {
      const int slot = static_cast<int>(round % kSlotCount);
      std::iota(expected.begin(), expected.end(), 1000 * round);
      std::ranges::copy(expected, store.upload_slot<std::uint32_t>("in", slot).begin());
      if (round == 3) {
        executor.run_eager("copy", slot);
      } else {
        executor.submit("copy", slot);
      }
      context.queue().wait_idle();
      store.download("out", std::as_writable_bytes(std::span(out)));
      EXPECT_EQ(out, expected) << "round " << round;
    }
  }
}

TEST(GpuExecutor, CutsASegmentByTheTimesOfTheSameWorkInAnother) {
  vk::Context& context = test::shared_context();
  PlanBuilder builder(context.caps());
  const Tensor in = builder.persistent("in", {64}, Role::kCache, DType::kU32);
  const Tensor out = builder.persistent("out", {64}, Role::kCache, DType::kU32);
  for (const char* name : {"timed", "other"}) {
    builder.begin_segment(name);
    for (int i = 0; i < 3; ++i) ops::exchange_pack(builder, in, out);
  }
  TensorStore store(context);
  // By its bytes a dispatch is guessed to take at most half a microsecond; none is that fast.
  Executor executor(context, store, make_schedule(std::move(builder).finish(), context.caps()), 1800);
  executor.record("other");
  EXPECT_EQ(executor.submissions_of("other"), 1U);
  for (const DispatchTime& time : executor.run_eager("timed", 0)) {
    if (time.nanoseconds <= 1800) GTEST_SKIP() << "the device is too fast for its clock";
  }
  executor.record("other");
  EXPECT_EQ(executor.submissions_of("other"), 3U);
}

}  // namespace
}  // namespace vkgpt::plan
