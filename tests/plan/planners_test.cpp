// Memory planner, barrier planner and taps on random plans, held against their definitions.

#include <algorithm>

#include <gtest/gtest.h>

#include "vkgpt/plan/plan_builder.hpp"
#include "vkgpt/plan/plan_dump.hpp"
#include "vkgpt/plan/schedule.hpp"
#include "vkgpt/plan/taps.hpp"

#include "support/random_cases.hpp"

namespace vkgpt::plan {
namespace {

constexpr std::uint64_t kAlignment = 64;
constexpr std::uint64_t kMaxArena = 1 << 16;

/// A plan whose dispatches each write one new transient and read up to three earlier tensors.
Plan random_plan(test::Random& random) {
  const auto below = [&](std::size_t n) { return random.below(n); };
  vk::DeviceCaps caps;
  caps.storage_buffer_alignment = kAlignment;
  PlanBuilder builder(caps);
  const Tensor weights = builder.persistent("weights", {64, 64}, Role::kParameters);
  for (const char* segment : {"first", "second"}) {
    builder.begin_segment(segment);
    std::vector<Tensor> alive;
    for (int i = 0; i < 60; ++i) {
      const Tensor out =
          builder.transient("t" + std::to_string(i), {1 + static_cast<std::int64_t>(below(4000))});
      Dispatch dispatch{.kernel = {"k"}, .bindings = {write(out)}};
      std::vector<Tensor> inputs;
      for (std::size_t n = 0; n < 3 && n < alive.size(); ++n) {
        const Tensor& input = random.pick(alive);
        if (std::ranges::find(inputs, input.id, &Tensor::id) == inputs.end()) inputs.push_back(input);
      }
      for (const Tensor& input : inputs) dispatch.bindings.push_back(read(input));
      if (below(4) == 0) {
        Binding row =
            rows(below(2) == 0 ? read(weights) : write(weights), weights, static_cast<int>(below(64)), 1);
        dispatch.bindings.push_back(row);
      }
      builder.dispatch(std::move(dispatch));
      alive.push_back(out);
      if (alive.size() > 8) alive.erase(alive.begin() + static_cast<std::ptrdiff_t>(below(alive.size())));
    }
  }
  return std::move(builder).finish();
}

struct Range {
  std::uint64_t space, begin, end;
  bool writes;
};

Range range_of(const Plan& plan, const MemoryPlan& memory, const Binding& binding) {
  std::uint64_t space = 1000 + static_cast<std::uint64_t>(binding.tensor);
  std::uint64_t begin = binding.offset;
  if (plan.tensor(binding.tensor).storage == Storage::kTransient) {
    space = memory.placements.at(binding.tensor).arena;
    begin += memory.placements.at(binding.tensor).offset;
  }
  return {space, begin, begin + binding.size, binding.writes()};
}

bool hazard(const Plan& plan, const MemoryPlan& memory, const Dispatch& a, const Dispatch& b) {
  for (const Binding& x : a.bindings) {
    for (const Binding& y : b.bindings) {
      const Range p = range_of(plan, memory, x);
      const Range q = range_of(plan, memory, y);
      if ((p.writes || q.writes) && p.space == q.space && p.begin < q.end && q.begin < p.end) return true;
    }
  }
  return false;
}

TEST(MemoryPlanner, NeverOverlapsTensorsThatLiveTogether) {
  test::for_random_cases(100, [](test::Random& random) {
    const Plan plan = random_plan(random);
    const MemoryPlan memory = plan_memory(plan, kAlignment, kMaxArena);
    std::uint64_t live_peak = 0;
    for (const Segment& segment : plan.segments) {
      std::map<TensorId, std::pair<std::size_t, std::size_t>> lives;
      for (std::size_t i = 0; i < segment.dispatches.size(); ++i) {
        for (const Binding& binding : segment.dispatches[i].bindings) {
          if (plan.tensor(binding.tensor).storage != Storage::kTransient) continue;
          lives.try_emplace(binding.tensor, i, i).first->second.second = i;
        }
      }
      for (auto a = lives.begin(); a != lives.end(); ++a) {
        const Placement& pa = memory.placements.at(a->first);
        const std::uint64_t a_end = pa.offset + plan.tensor(a->first).bytes();
        EXPECT_EQ(pa.offset % kAlignment, 0u);
        EXPECT_LE(a_end, memory.arena_bytes.at(pa.arena));
        for (auto b = std::next(a); b != lives.end(); ++b) {
          const Placement& pb = memory.placements.at(b->first);
          if (pa.arena != pb.arena) continue;
          if (a->second.second < b->second.first || b->second.second < a->second.first) continue;
          const std::uint64_t b_end = pb.offset + plan.tensor(b->first).bytes();
          EXPECT_TRUE(a_end <= pb.offset || b_end <= pa.offset);
        }
      }
      for (std::size_t i = 0; i < segment.dispatches.size(); ++i) {
        std::uint64_t live = 0;
        for (const auto& [id, life] : lives) {
          if (life.first <= i && i <= life.second) live += plan.tensor(id).bytes();
        }
        live_peak = std::max(live_peak, live);
      }
    }
    std::uint64_t arenas = 0;
    for (const std::uint64_t bytes : memory.arena_bytes) {
      EXPECT_LE(bytes, kMaxArena);
      arenas += bytes;
    }
    EXPECT_GE(arenas, live_peak);
    EXPECT_LE(arenas, live_peak * 3 / 2) << "the arena is far above the live peak";
  });
}

TEST(BarrierPlanner, OrdersEveryHazardAndPlacesNoBarrierWithoutOne) {
  test::for_random_cases(100, [](test::Random& random) {
    const Plan plan = random_plan(random);
    const MemoryPlan memory = plan_memory(plan, kAlignment, kMaxArena);
    for (const Segment& segment : plan.segments) {
      const BarrierPlan barriers = plan_barriers(plan, segment, memory);
      std::size_t group_begin = 0;
      for (std::size_t i = 0; i < segment.dispatches.size(); ++i) {
        bool conflicts = false;
        for (std::size_t j = group_begin; j < i; ++j) {
          conflicts |= hazard(plan, memory, segment.dispatches[j], segment.dispatches[i]);
        }
        EXPECT_EQ(std::ranges::binary_search(barriers, i), conflicts) << "dispatch " << i;
        if (conflicts) group_begin = i;
      }
    }
  });
}

TEST(BarrierPlanner, SeesHazardsThroughAliasedArenaBytes) {
  PlanBuilder builder{vk::DeviceCaps{}};
  const Tensor x = builder.persistent("x", {64}, Role::kCache);
  const Tensor y = builder.persistent("y", {64}, Role::kCache);
  const Tensor a = builder.transient("a", {64});
  const Tensor b = builder.transient("b", {64});
  builder.begin_segment("s");
  builder.dispatch({.kernel = {"k"}, .bindings = {write(a)}});
  builder.dispatch({.kernel = {"k"}, .bindings = {read(a), write(x)}});
  builder.dispatch({.kernel = {"k"}, .bindings = {write(b)}});  // b takes the place of a: write after read
  builder.dispatch({.kernel = {"k"}, .bindings = {write(y)}});  // independent: shares the group
  const Plan plan = std::move(builder).finish();
  const MemoryPlan memory = plan_memory(plan, 256, 1 << 20);
  EXPECT_EQ(memory.placements.at(a.id).offset, memory.placements.at(b.id).offset);
  EXPECT_EQ(plan_barriers(plan, plan.segment("s"), memory), (BarrierPlan{1, 2}));
}

TEST(MemoryPlanner, CountsNoSlotsOfADiscreteGpuThatLieInTheHostsMemory) {
  PlanBuilder builder{vk::DeviceCaps{}};
  const auto small = static_cast<std::int64_t>(kMostCopiedUpload / sizeof(float));
  const Tensor tokens = builder.upload("tokens", {small}), wires = builder.upload("wires", {2 * small});
  const Tensor results = builder.readback("results", {64});
  builder.begin_segment("s");
  builder.dispatch({.kernel = {"k"}, .bindings = {read(tokens), read(wires), write(results)}});
  const Plan plan = std::move(builder).finish();
  const MemoryPlan shared = plan_memory(plan, 256, 1 << 20),
                   apart = plan_memory(plan, 256, 1 << 20, HostMemory::kApart);
  EXPECT_EQ(shared.total_bytes(), kSlotCount * (3 * kMostCopiedUpload + 256));
  EXPECT_EQ(shared.host_bytes, 0U);
  EXPECT_EQ(apart.total_bytes(), kSlotCount * kMostCopiedUpload);
  EXPECT_EQ(apart.host_bytes, kSlotCount * (2 * kMostCopiedUpload + 256));
}

TEST(Taps, KeepThePlanAndExtendTheLifeOfWhatTheyRead) {
  test::Random random(7);
  const Plan plan = random_plan(random);
  const Tap tap{"second", "t5", [](PlanBuilder& builder, const Tensor& t) {
                  const Tensor copy = builder.readback("copy", t.shape);
                  builder.dispatch({.kernel = {"copy"}, .bindings = {read(t), write(copy)}});
                }};
  const Plan tapped = add_taps(plan, vk::DeviceCaps{}, {{tap}});
  EXPECT_EQ(tapped.segment("first").dispatches.size(), plan.segment("first").dispatches.size());
  ASSERT_EQ(tapped.segment("second").dispatches.size(), plan.segment("second").dispatches.size() + 1);
  const Dispatch& copy = tapped.segment("second").dispatches[6];
  EXPECT_EQ(copy.label, "tap/copy");
  EXPECT_EQ(tapped.tensor(copy.bindings[0].tensor).name, "t5");
  EXPECT_EQ(copy.bindings[0].tensor, plan.segment("second").dispatches[5].bindings[0].tensor);
}

TEST(PlanDump, CountsDispatchesAndMemory) {
  test::Random random(3);
  const Schedule schedule = make_schedule(random_plan(random), vk::DeviceCaps{});
  const std::string text = dump_text(schedule, true);
  EXPECT_NE(text.find("segment first"), std::string::npos);
  EXPECT_NE(text.find("peak memory"), std::string::npos);
}

TEST(PlanDump, NamesThePartOfAnArenaThatADispatchBinds) {
  PlanBuilder builder{vk::DeviceCaps{}};
  const Tensor arena = builder.persistent("params", {4, 64}, Role::kParameters);
  const Tensor weight = builder.view(arena, 64, {2, 64}, "h.0.weight");
  const Tensor y = builder.persistent("y", {4, 64}, Role::kActivations);
  builder.begin_segment("s");
  for (const Binding& bound : {read(weight), rows(read(weight), weight, 1, 1), read(arena)}) {
    builder.dispatch({.kernel = {.stem = "k"}, .bindings = {bound, read_write(y)}});
  }
  const std::string text = dump_text(make_schedule(std::move(builder).finish(), vk::DeviceCaps{}), true);
  EXPECT_NE(text.find(": params:h.0.weight y -> y\n    ---- barrier\n    k [1x1x1]: params:h.0.weight y"),
            std::string::npos)
      << text;
  EXPECT_NE(text.find(": params y -> y"), std::string::npos) << text;
}

}  // namespace
}  // namespace vkgpt::plan
