#include "vkgpt/plan/byte_ranges.hpp"

#include <algorithm>
#include <iterator>

namespace vkgpt::plan {

void ByteRanges::add(std::uint64_t begin, std::uint64_t end) {
  remove(begin, end);
  ends_.emplace(begin, end);
}

void ByteRanges::remove(std::uint64_t begin, std::uint64_t end) {
  for (const auto& [first, last] : within(begin, end)) {
    auto holder = std::prev(ends_.upper_bound(first));
    const std::uint64_t holder_end = holder->second;
    holder->second = first;
    if (holder->first == first) ends_.erase(holder);
    if (last < holder_end) ends_.emplace(last, holder_end);
  }
}

std::vector<std::pair<std::uint64_t, std::uint64_t>> ByteRanges::within(std::uint64_t begin,
                                                                        std::uint64_t end) const {
  std::vector<std::pair<std::uint64_t, std::uint64_t>> found;
  auto next = ends_.upper_bound(begin);
  if (next != ends_.begin() && std::prev(next)->second > begin) --next;
  for (; next != ends_.end() && next->first < end; ++next) {
    found.emplace_back(std::max(next->first, begin), std::min(next->second, end));
  }
  return found;
}

}  // namespace vkgpt::plan
