#include "vkgpt/plan/dead_dispatches.hpp"

#include <gtest/gtest.h>

#include "vkgpt/plan/plan_builder.hpp"

namespace vkgpt::plan {
namespace {

TEST(DeadDispatches, GoWithWhatOnlyTheyNeed) {
  PlanBuilder builder{vk::DeviceCaps{}};
  const Tensor kept = builder.persistent("kept", {64}, Role::kCache);
  builder.begin_segment("s");
  const Tensor a = builder.transient("a", {64});
  const Tensor b = builder.transient("b", {64});
  const Tensor c = builder.transient("c", {64});
  builder.dispatch({.kernel = {"make_a"}, .bindings = {write(a)}});
  builder.dispatch({.kernel = {"make_b"}, .bindings = {write(b)}});
  builder.dispatch({.kernel = {"unread"}, .bindings = {read(b), write(c)}});
  builder.dispatch({.kernel = {"keep"}, .bindings = {read(a), write(kept)}});
  Plan plan = std::move(builder).finish();
  drop_dead_dispatches(plan);
  std::vector<std::string> stems;
  for (const Dispatch& dispatch : plan.segment("s").dispatches) stems.push_back(dispatch.kernel.stem);
  EXPECT_EQ(stems, (std::vector<std::string>{"make_a", "keep"}));
}

}  // namespace
}  // namespace vkgpt::plan
