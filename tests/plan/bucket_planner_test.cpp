#include "vkgpt/plan/bucket_planner.hpp"

#include <gtest/gtest.h>

#include "vkgpt/plan/plan_builder.hpp"

namespace vkgpt::plan {
namespace {

/// A backward that finishes the last third of `grads` first, and a loss that it writes at the end.
Plan backward_and_sends() {
  PlanBuilder builder(vk::DeviceCaps{});
  const Tensor grads = builder.persistent("grads", {3, 64}, Role::kGradients);
  const Tensor loss = builder.persistent("loss", {1}, Role::kGradients);
  const Tensor out = builder.readback("out", {3, 64}, DType::kF32);
  const Tensor loss_out = builder.readback("loss_out", {1}, DType::kF32);
  builder.begin_segment("step");
  const Tensor x = builder.transient("x", {64});
  builder.dispatch({.kernel = {"forward"}, .bindings = {write(x)}});
  for (const std::int64_t row : {2, 1, 0, 1}) {
    builder.dispatch({.kernel = {"backward"}, .bindings = {read(x), rows(write(grads), grads, row, 1)}});
  }
  builder.dispatch({.kernel = {"loss"}, .bindings = {read(x), write(loss)}});
  builder.begin_segment("pack");
  for (const std::int64_t row : {2, 1, 0}) {
    builder.dispatch(
        {.kernel = {"pack"}, .bindings = {rows(read(grads), grads, row, 1), rows(write(out), out, row, 1)}});
  }
  builder.dispatch({.kernel = {"pack"}, .bindings = {read(loss), write(loss_out)}});
  return std::move(builder).finish();
}

TEST(BucketPlanner, SendsBehindTheLastWriter) {
  Plan plan = backward_and_sends();
  const std::vector<Cut> cuts = add_sends(plan, "step", "pack", "both");
  const Segment& both = plan.segment("both");
  std::string order;
  for (const Dispatch& dispatch : both.dispatches) order += dispatch.kernel.stem[0];
  EXPECT_EQ(order, "fbpbbpbplp");
  ASSERT_EQ(cuts.size(), 4U);
  const std::size_t ends[] = {3, 6, 8, 10};
  const std::size_t sends[] = {0, 2, 1, 3};  // row 1 is written again after row 0
  for (std::size_t i = 0; i < cuts.size(); ++i) {
    EXPECT_EQ(cuts[i].end, ends[i]);
    EXPECT_EQ(cuts[i].send, sends[i]);
  }
}

TEST(BucketPlanner, SharesNoTransientTensor) {
  Plan plan = backward_and_sends();
  add_sends(plan, "step", "pack", "both");
  const TensorId own = plan.segment("both").dispatches[0].bindings[0].tensor;
  EXPECT_NE(own, plan.segment("step").dispatches[0].bindings[0].tensor);
  EXPECT_EQ(plan.tensor(own).root, own);
  EXPECT_EQ(plan.segment("both").dispatches[1].bindings[0].tensor, own);
}

}  // namespace
}  // namespace vkgpt::plan
