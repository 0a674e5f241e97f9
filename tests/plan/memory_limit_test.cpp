#include "vkgpt/plan/memory_limit.hpp"

#include <string>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "vkgpt/core/error.hpp"
#include "vkgpt/plan/limits.hpp"

namespace vkgpt::plan {
namespace {

/// A card with so many bytes, of which so many are free.
vk::DeviceCaps card(std::uint64_t bytes, std::uint64_t free) {
  vk::DeviceCaps caps;
  caps.type = vk::DeviceType::kDiscrete;
  caps.name = "card";
  caps.heap_bytes = bytes;
  caps.heap_budget_bytes = free;
  return caps;
}

MemoryPlan plan_of(std::uint64_t bytes) {
  MemoryPlan memory;
  memory.bytes_by_role[Role::kParameters] = bytes;
  memory.bytes_by_role[Role::kActivations] = bytes;
  return memory;
}

std::string refusal(const MemoryPlan& memory, const vk::DeviceCaps& caps) {
  try {
    check_memory(memory, caps);
  } catch (const Error& error) {
    return error.what();
  }
  return "";
}

TEST(MemoryLimit, WhatExceedsTheMemoryOrWhatIsFreeOfItIsRefusedBeforeTheFirstStep) {
  constexpr std::uint64_t kGiB = 1 << 30;
  const MemoryPlan memory = plan_of(kGiB);
  EXPECT_EQ(refusal(memory, card(4 * kGiB, 3 * kGiB)), "");
  EXPECT_EQ(refusal(memory, card(4 * kGiB, 0)), "") << "a driver that does not say what is free";
  EXPECT_EQ(refusal(memory, card(0, 0)), "") << "a device of unknown size";
  EXPECT_THROW(check_memory(memory, card(kGiB, kGiB)), TooLarge);
  EXPECT_THAT(refusal(memory, card(kGiB, kGiB)), testing::HasSubstr("card has 1 GiB"));
  EXPECT_THAT(refusal(memory, card(4 * kGiB, kGiB)), testing::HasSubstr("1 GiB of 4 GiB are free"));
}

}  // namespace
}  // namespace vkgpt::plan
