#pragma once

#include <cstdint>
#include <map>
#include <utility>
#include <vector>

namespace vkgpt::plan {

/// A set of bytes, kept as disjoint ranges [begin, end).
class ByteRanges {
 public:
  void add(std::uint64_t begin, std::uint64_t end);
  void remove(std::uint64_t begin, std::uint64_t end);
  /// The ranges of the set within [begin, end), ascending.
  std::vector<std::pair<std::uint64_t, std::uint64_t>> within(std::uint64_t begin, std::uint64_t end) const;

 private:
  std::map<std::uint64_t, std::uint64_t> ends_;  // by begin
};

}  // namespace vkgpt::plan
