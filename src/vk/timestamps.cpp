#include "vkgpt/vk/timestamps.hpp"

#include <utility>

#include "vkgpt/core/check.hpp"
#include "vkgpt/vk/result.hpp"

namespace vkgpt::vk {

Timestamps::Timestamps(const Device& device, std::uint32_t count) : device_(&device), count_(count) {
  VKGPT_CHECK(device.timestamp_valid_bits() > 0, "{} has no timestamps", device.caps().name);
  VkQueryPoolCreateInfo info{};
  info.sType = VK_STRUCTURE_TYPE_QUERY_POOL_CREATE_INFO;
  info.queryType = VK_QUERY_TYPE_TIMESTAMP;
  info.queryCount = count;
  VK_CHECK(device.table().vkCreateQueryPool(device.handle(), &info, nullptr, &pool_));
}

Timestamps::~Timestamps() {
  if (pool_ != VK_NULL_HANDLE) device_->table().vkDestroyQueryPool(device_->handle(), pool_, nullptr);
}

Timestamps::Timestamps(Timestamps&& other) noexcept
    : device_(std::exchange(other.device_, nullptr)),
      pool_(std::exchange(other.pool_, VK_NULL_HANDLE)),
      count_(std::exchange(other.count_, 0)) {}

Timestamps& Timestamps::operator=(Timestamps&& other) noexcept {
  std::swap(device_, other.device_);
  std::swap(pool_, other.pool_);
  std::swap(count_, other.count_);
  return *this;
}

std::vector<double> Timestamps::read_ns() const {
  std::vector<std::uint64_t> ticks(count_);
  VK_CHECK(device_->table().vkGetQueryPoolResults(device_->handle(), pool_, 0, count_,
                                                  ticks.size() * sizeof(std::uint64_t), ticks.data(),
                                                  sizeof(std::uint64_t), VK_QUERY_RESULT_64_BIT));
  const std::uint32_t bits = device_->timestamp_valid_bits();
  const std::uint64_t mask = bits >= 64 ? ~0ull : (1ull << bits) - 1;
  // Relative to the first one: a double holds 53 bits, ticks since boot may need more.
  std::vector<double> ns;
  ns.reserve(ticks.size());
  for (const std::uint64_t tick : ticks) {
    const std::uint64_t elapsed = (tick - ticks.front()) & mask;
    ns.push_back(static_cast<double>(elapsed) * device_->caps().timestamp_period_ns);
  }
  return ns;
}

}  // namespace vkgpt::vk
