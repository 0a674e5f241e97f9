#include "vkgpt/plan/plan_builder.hpp"

#include <cstdint>
#include <utility>
#include <vector>

#include <gtest/gtest.h>

#include "vkgpt/core/check.hpp"
#include "vkgpt/plan/limits.hpp"

namespace vkgpt::plan {
namespace {

vk::DeviceCaps small_caps() {
  vk::DeviceCaps caps;
  caps.max_storage_buffer_range = 4096;
  caps.storage_buffer_alignment = 64;
  return caps;
}

TEST(PlanBuilder, ResolvesViewsToTheirRoots) {
  PlanBuilder builder(small_caps());
  const Tensor arena = builder.persistent("params", {64}, Role::kParameters);
  const Tensor view = builder.view(arena, 16, {4, 4}, "w");
  builder.begin_segment("s");
  builder.dispatch({.kernel = {"k"}, .bindings = {rows(write(view), view, 0, 2)}});
  const Plan plan = std::move(builder).finish();
  const Binding& binding = plan.segment("s").dispatches[0].bindings[0];
  EXPECT_EQ(binding.tensor, arena.id);
  EXPECT_EQ(binding.offset, 64u);
  EXPECT_EQ(binding.size, 32u);
}

TEST(PlanBuilder, KnowsWhatIsDiscardedUntilItIsWritten) {
  PlanBuilder builder(small_caps());
  const Tensor arena = builder.persistent("grads", {256}, Role::kGradients);
  const Tensor w = builder.view(arena, 64, {4, 16}, "w");
  builder.begin_segment("first");
  builder.discard(w);
  EXPECT_TRUE(builder.discarded(builder.view(arena, 0, {64})).empty());
  EXPECT_THROW(builder.dispatch({.kernel = {"k"}, .bindings = {read_write(w)}}), CheckFailure);
  EXPECT_THROW(builder.dispatch({.kernel = {"k"}, .bindings = {read(arena)}}), CheckFailure);
  builder.dispatch({.kernel = {"k"}, .bindings = {rows(write(w), w, 0, 2)}});
  const std::vector<Tensor> left = builder.discarded(arena);
  ASSERT_EQ(left.size(), 1U);
  EXPECT_EQ(left[0].shape, Shape({32}));
  builder.dispatch({.kernel = {"k"}, .bindings = {write(left[0])}});
  EXPECT_TRUE(builder.discarded(arena).empty());
  builder.dispatch({.kernel = {"k"}, .bindings = {read_write(w)}});
  builder.discard(w);
  builder.begin_segment("second");
  EXPECT_TRUE(builder.discarded(w).empty()) << "of the segment before";
  const Plan plan = std::move(builder).finish();
  EXPECT_EQ(plan.segment("first").dispatches[1].bindings[0].offset, 4U * (64 + 32));
}

TEST(ByteRanges, HoldsWhatWasAddedAndNotRemoved) {
  using Ranges = std::vector<std::pair<std::uint64_t, std::uint64_t>>;
  ByteRanges ranges;
  EXPECT_TRUE(ranges.within(0, 100).empty());
  ranges.add(10, 20);
  ranges.add(30, 60);
  ranges.add(15, 40);
  EXPECT_EQ(ranges.within(0, 100), (Ranges{{10, 15}, {15, 40}, {40, 60}}));
  ranges.remove(12, 18);
  ranges.remove(40, 41);
  ranges.remove(50, 100);
  EXPECT_EQ(ranges.within(0, 100), (Ranges{{10, 12}, {18, 40}, {41, 50}}));
  EXPECT_EQ(ranges.within(11, 20), (Ranges{{11, 12}, {18, 20}}));
  EXPECT_TRUE(ranges.within(12, 18).empty());
  ranges.remove(0, 100);
  EXPECT_TRUE(ranges.within(0, 100).empty());
}

TEST(PlanBuilder, SharesPersistentTensorsByNameAndRefusesContradictions) {
  PlanBuilder builder(small_caps());
  const Tensor a = builder.persistent("x", {4}, Role::kCache);
  EXPECT_EQ(builder.persistent("x", {4}, Role::kCache).id, a.id);
  EXPECT_THROW(builder.persistent("x", {5}, Role::kCache), CheckFailure);
  EXPECT_THROW(builder.upload("x", {4}), CheckFailure);
}

TEST(PlanBuilder, RefusesWhatTheDeviceOrTheShaderCouldNotDo) {
  PlanBuilder builder(small_caps());
  const Tensor big = builder.persistent("big", {2000}, Role::kCache);
  const Tensor small = builder.persistent("small", {64}, Role::kCache);
  const Tensor input = builder.upload("input", {4});
  const Tensor half = builder.persistent("half", {64}, Role::kCache, DType::kF16);
  EXPECT_THROW(builder.dispatch({.kernel = {"k"}, .bindings = {read(small)}}), CheckFailure);  // no segment
  builder.begin_segment("s");
  EXPECT_THROW(builder.dispatch({.kernel = {"k"}, .bindings = {read(big)}}), TooLarge);
  EXPECT_THROW(builder.dispatch({.kernel = {"k"}, .bindings = {write(input)}}), CheckFailure);
  EXPECT_THROW(builder.dispatch({.kernel = {"k"}, .bindings = {read(half)}}), CheckFailure);
  EXPECT_THROW(builder.dispatch({.kernel = {"k"}, .bindings = {read(small), write(small)}}), CheckFailure);
  EXPECT_THROW(builder.dispatch({.kernel = {"k"}, .bindings = {read(builder.view(small, 1, {4}))}}),
               CheckFailure);
  EXPECT_THROW(builder.dispatch({.kernel = {"k"}, .bindings = {read(small)}, .groups = {70000, 1, 1}}),
               TooLarge);
  EXPECT_THROW(builder.dispatch({.kernel = {"k"}, .push = std::vector<std::uint32_t>(33)}), CheckFailure);
  EXPECT_THROW(builder.begin_segment("s"), CheckFailure);
}

TEST(PlanBuilder, CountsAddressesAmongThePushConstantsAndRefusesThoseOfWrites) {
  vk::DeviceCaps caps = small_caps();
  const auto dispatch_by_address = [&](Access access, std::vector<std::uint32_t> push) {
    PlanBuilder builder(caps);
    Binding binding = read(builder.persistent("x", {4}, Role::kCache));
    binding.access = access;
    builder.begin_segment("s");
    builder.dispatch({.kernel = {"k"}, .bindings = {binding}, .push = std::move(push), .addresses = {0}});
    return std::move(builder).finish().segment("s").dispatches[0].push_bytes();
  };
  EXPECT_THROW(dispatch_by_address(Access::kRead, {1, 2}), CheckFailure);  // not on this device
  caps.buffer_device_address = true;
  EXPECT_EQ(dispatch_by_address(Access::kRead, {1, 2}), 16u);
  EXPECT_THROW(dispatch_by_address(Access::kRead, {1}), CheckFailure);  // a word of 64 bits at 4
  EXPECT_THROW(dispatch_by_address(Access::kReadWrite, {1, 2}), CheckFailure);
}

TEST(PlanBuilder, RefusesTransientsReadBeforeWrittenOrSharedBySegments) {
  {
    PlanBuilder builder(small_caps());
    const Tensor t = builder.transient("t", {4});
    builder.begin_segment("s");
    builder.dispatch({.kernel = {"k"}, .bindings = {read(t)}});
    EXPECT_THROW(std::move(builder).finish(), CheckFailure);
  }
  PlanBuilder builder(small_caps());
  const Tensor t = builder.transient("t", {4});
  builder.begin_segment("a");
  builder.dispatch({.kernel = {"k"}, .bindings = {write(t)}});
  builder.begin_segment("b");
  builder.dispatch({.kernel = {"k"}, .bindings = {write(t)}});
  EXPECT_THROW(std::move(builder).finish(), CheckFailure);
}

TEST(PlanBuilder, LabelsByScope) {
  PlanBuilder builder(small_caps());
  const Tensor x = builder.persistent("x", {4}, Role::kCache);
  builder.begin_segment("s");
  {
    const auto layer = builder.scope("h0");
    const auto part = builder.scope("mlp");
    builder.dispatch({.kernel = {"k"}, .bindings = {write(x)}});
  }
  builder.dispatch({.kernel = {"k"}, .bindings = {write(x)}});
  const Plan plan = std::move(builder).finish();
  EXPECT_EQ(plan.segment("s").dispatches[0].label, "h0/mlp/k");
  EXPECT_EQ(plan.segment("s").dispatches[1].label, "k");
}

TEST(PlanBuilder, ConstantsKeepTheirContents) {
  PlanBuilder builder(small_caps());
  const Tensor table = builder.constant("table", {2}, DType::kU32, {7, 9});
  EXPECT_EQ(builder.constant("table", {2}, DType::kU32, {7, 9}).id, table.id);
  EXPECT_THROW(builder.constant("table", {2}, DType::kU32, {7, 8}), CheckFailure);
  EXPECT_THROW(builder.constant("short", {2}, DType::kU32, {7}), CheckFailure);
  const std::optional<Tensor> found = builder.find_constant("table");
  ASSERT_TRUE(found.has_value());
  EXPECT_EQ(found->id, table.id);
  EXPECT_EQ(found->shape, table.shape);
  builder.persistent("weights", {2}, Role::kParameters);
  EXPECT_FALSE(builder.find_constant("weights").has_value());
  EXPECT_FALSE(builder.find_constant("other").has_value());
  const Plan plan = std::move(builder).finish();
  EXPECT_EQ(plan.constants.at(table.id), (std::vector<std::uint32_t>{7, 9}));
}

}  // namespace
}  // namespace vkgpt::plan
