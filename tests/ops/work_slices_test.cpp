#include "ops/work_slices.hpp"

#include <array>

#include <gtest/gtest.h>

namespace vkgpt::ops {
namespace {

TEST(WorkSlices, ShrinkWithTheShareOfADispatch) {
  vk::DeviceCaps caps;
  caps.max_storage_buffer_range = 1 << 23;
  const auto counts = [&](double share) {
    caps.dispatch_share = share;
    plan::PlanBuilder builder(caps);
    const plan::Tensor t = builder.persistent("t", {(1 << 22) + 64}, plan::Role::kParameters);
    builder.cut(t, std::array<std::int64_t, 1>{1 << 21});
    EXPECT_EQ(element_slices(builder, {t}).size(), 3U) << "sums keep their order";
    std::vector<std::int64_t> found;
    std::int64_t next = 0;
    for (const Slice slice : work_slices(builder, {t})) {
      EXPECT_EQ(slice.first, next);
      next += slice.count;
      found.push_back(slice.count);
    }
    EXPECT_EQ(next, t.shape.numel());
    return found;
  };
  using Counts = std::vector<std::int64_t>;
  EXPECT_EQ(counts(1), (Counts{1 << 21, 1 << 21, 64}));
  EXPECT_EQ(counts(2), counts(1));
  EXPECT_EQ(counts(0.5), (Counts{1 << 20, 1 << 20, 1 << 20, 1 << 20, 64}));
  EXPECT_EQ(counts(1e-9).size(), 17U) << "but not to nothing";
}

TEST(WorkSlices, OfRowsBeginAtMultiplesOfTheGranule) {
  vk::DeviceCaps caps;
  caps.max_storage_buffer_range = 1 << 23;
  const auto counts = [&](double share) {
    caps.dispatch_share = share;
    std::vector<std::int64_t> found;
    std::int64_t next = 0;
    for (const Slice slice : work_rows(caps, 3000, 4096, 64)) {
      EXPECT_EQ(slice.first, next);
      EXPECT_EQ(slice.first % 64, 0);
      next += slice.count;
      found.push_back(slice.count);
    }
    EXPECT_EQ(next, 3000);
    return found;
  };
  using Counts = std::vector<std::int64_t>;
  EXPECT_EQ(counts(1), (Counts{2048, 952}));
  EXPECT_EQ(counts(0.5), (Counts{1024, 1024, 952}));
  EXPECT_EQ(counts(1e-9).size(), 12U);
  EXPECT_EQ(work_rows(caps, Slice{640, 100}, 1 << 22, 64).back().first, 704) << "at least a granule";
}

}  // namespace
}  // namespace vkgpt::ops
