#pragma once

#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <random>
#include <span>
#include <string>

#include <gtest/gtest.h>

namespace vkgpt::test {

/// Makes the parts of one random case. The same seed gives the same case with every standard library: none of
/// its distributions is used.
class Random {
 public:
  explicit Random(std::uint64_t seed) : engine_(seed) {}

  std::size_t below(std::size_t n) { return static_cast<std::size_t>(engine_() % n); }
  /// From `low` to `high`, both included.
  std::int64_t between(std::int64_t low, std::int64_t high) {
    return low + static_cast<std::int64_t>(below(static_cast<std::size_t>(high - low) + 1));
  }
  /// In [0, 1).
  double uniform() { return static_cast<double>(engine_() >> 11U) * 0x1p-53; }
  bool chance(double probability) { return uniform() < probability; }
  template <typename Values>
  const auto& pick(const Values& values) {
    return values[below(std::size(values))];
  }

  /// Valid UTF-8 of up to `max_characters`: words, white space, digits, accents, Han, emoji, control
  /// characters.
  std::string text(std::size_t max_characters);

 private:
  char32_t character();

  std::mt19937_64 engine_;
};

/// Calls `property` with `count` random cases and stops at the first that fails. Its message names the seed;
/// with VKGPT_TEST_SEED set to it, that case alone runs.
template <typename Property>
void for_random_cases(std::uint64_t count, Property&& property) {
  const char* chosen = std::getenv("VKGPT_TEST_SEED");
  const std::uint64_t first = chosen == nullptr ? 1 : std::strtoull(chosen, nullptr, 10);
  const std::uint64_t last = chosen == nullptr ? count : first;
  for (std::uint64_t seed = first; seed <= last && !testing::Test::HasFailure(); ++seed) {
    SCOPED_TRACE("to run this case alone: VKGPT_TEST_SEED=" + std::to_string(seed));
    Random random(seed);
    property(random);
  }
}

}  // namespace vkgpt::test
