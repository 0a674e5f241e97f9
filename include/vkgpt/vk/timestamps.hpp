#pragma once

#include <cstdint>
#include <vector>

#include <volk.h>

#include "vkgpt/vk/device.hpp"

namespace vkgpt::vk {

/// A pool of timestamp queries.
class Timestamps {
 public:
  Timestamps() = default;
  Timestamps(const Device& device, std::uint32_t count);
  ~Timestamps();
  Timestamps(Timestamps&& other) noexcept;
  Timestamps& operator=(Timestamps&& other) noexcept;

  VkQueryPool pool() const { return pool_; }
  std::uint32_t count() const { return count_; }
  /// Nanoseconds since an arbitrary origin, one per query, after the work that writes them has completed.
  std::vector<double> read_ns() const;

 private:
  const Device* device_ = nullptr;
  VkQueryPool pool_ = VK_NULL_HANDLE;
  std::uint32_t count_ = 0;
};

}  // namespace vkgpt::vk
