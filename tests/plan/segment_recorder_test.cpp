#include "plan/segment_recorder.hpp"

#include <array>
#include <string>
#include <utility>
#include <vector>

#include <gtest/gtest.h>

#include "vkgpt/ops/fill.hpp"
#include "vkgpt/plan/plan_builder.hpp"

#include "gpu_context.hpp"

namespace vkgpt::plan {
namespace {

TEST(SegmentRecorder, CutsKeepTheBudgetAndLongDispatchesStandAlone) {
  EXPECT_EQ(cuts_within({}, 10), CutPlan{});
  EXPECT_EQ(cuts_within(std::array{100.0}, 10), CutPlan{0});
  EXPECT_EQ(cuts_within(std::array{5.0, 5.0, 1.0, 30.0, 2.0, 8.0, 0.5}, 10), (CutPlan{0, 2, 3, 4, 6}));
  EXPECT_EQ(cuts_everywhere(3), (CutPlan{0, 1, 2}));
}

/// Writes down what it is told and submits what it is given.
class Witness : public RecordObserver {
 public:
  explicit Witness(vk::Context& context) : context_(context) {}

  vk::CommandBuffer& open() override {
    events.emplace_back("open");
    return commands_.emplace_back(context_.device(), "witness");
  }
  void before(vk::CommandBuffer&, std::size_t dispatch, bool begins_group) override {
    events.push_back((begins_group ? "group " : "") + std::to_string(dispatch));
  }
  void after(vk::CommandBuffer&, std::size_t dispatch) override {
    events.push_back("after " + std::to_string(dispatch));
  }
  void close(vk::CommandBuffer& commands) override {
    events.emplace_back("close");
    context_.queue().wait(context_.queue().submit(commands, "witness"));
  }

  std::vector<std::string> events;

 private:
  vk::Context& context_;
  std::vector<vk::CommandBuffer> commands_;
};

TEST(GpuSegmentRecorder, TellsItsObserverOfEveryCutBarrierAndDispatch) {
  vk::Context& context = test::shared_context();
  PlanBuilder builder(context.caps());
  const Tensor a = builder.persistent("a", {64}, Role::kCache, DType::kU32);
  const Tensor b = builder.persistent("b", {64}, Role::kCache, DType::kU32);
  builder.begin_segment("s");
  ops::fill(builder, a, 1);
  ops::fill(builder, b, 2);  // in one group with the first
  ops::fill(builder, a, 3);  // after a barrier
  ops::fill(builder, b, 4);
  const Schedule schedule = make_schedule(std::move(builder).finish(), context.caps());
  TensorStore store(context);
  store.reserve(schedule);

  Witness witness(context);
  SegmentRecorder recorder(context, store, schedule);
  const DescriptorSets descriptors = recorder.describe(0, 0);
  recorder.record(0, descriptors, {0, 3}, witness);
  EXPECT_EQ(witness.events,
            (std::vector<std::string>{"open", "group 0", "after 0", "1", "after 1", "group 2", "after 2",
                                      "close", "open", "group 3", "after 3", "close"}));
  std::array<std::uint32_t, 64> words{};
  store.download("a", std::as_writable_bytes(std::span(words)));
  EXPECT_EQ(words[63], 3U);
  store.download("b", std::as_writable_bytes(std::span(words)));
  EXPECT_EQ(words[63], 4U);
}

}  // namespace
}  // namespace vkgpt::plan
