#include "reference/numbers.hpp"

#include <algorithm>
#include <bit>
#include <cmath>
#include <limits>

#include "vkgpt/core/check.hpp"

namespace vkgpt::reference {
namespace {

/// SplitMix64 (Steele, Lea, Flood 2014): the i-th output for a seed.
std::uint64_t mix(std::uint64_t seed, std::uint64_t i) {
  std::uint64_t z = seed * 0xd1342543de82ef95U + (i + 1) * 0x9e3779b97f4a7c15U;
  z = (z ^ (z >> 30U)) * 0xbf58476d1ce4e5b9U;
  z = (z ^ (z >> 27U)) * 0x94d049bb133111ebU;
  return z ^ (z >> 31U);
}

}  // namespace

double nmse(std::span<const float> actual, std::span<const double> expected) {
  VKGPT_CHECK(actual.size() == expected.size());
  double error = 0.0;
  double power = 0.0;
  for (std::size_t i = 0; i < actual.size(); ++i) {
    const double difference = static_cast<double>(actual[i]) - expected[i];
    error += difference * difference;
    power += expected[i] * expected[i];
  }
  if (power == 0.0) return error == 0.0 ? 0.0 : std::numeric_limits<double>::infinity();
  return error / power;
}

double max_abs(std::span<const float> actual, std::span<const double> expected) {
  VKGPT_CHECK(actual.size() == expected.size());
  double worst = 0.0;
  for (std::size_t i = 0; i < actual.size(); ++i)
    worst = std::max(worst, std::abs(static_cast<double>(actual[i]) - expected[i]));
  return worst;
}

double max_rel(std::span<const float> actual, std::span<const double> expected, double floor) {
  VKGPT_CHECK(actual.size() == expected.size());
  double worst = 0.0;
  for (std::size_t i = 0; i < actual.size(); ++i) {
    const double difference = std::abs(static_cast<double>(actual[i]) - expected[i]);
    worst = std::max(worst, difference / std::max(std::abs(expected[i]), floor));
  }
  return worst;
}

bool is_finite(float value) {
  return (std::bit_cast<std::uint32_t>(value) & 0x7f800000U) != 0x7f800000U;
}

bool is_finite(double value) {
  constexpr std::uint64_t kExponent = 0x7ff0000000000000U;
  return (std::bit_cast<std::uint64_t>(value) & kExponent) != kExponent;
}

std::vector<float> random_floats(std::size_t count, std::uint64_t seed, float scale) {
  std::vector<float> values(count);
  for (std::size_t i = 0; i < count; ++i) {
    const auto bits = static_cast<std::int32_t>(mix(seed, i) >> 40U);  // 24 bits: exact in float
    values[i] = scale * (static_cast<float>(bits - (1 << 23)) / static_cast<float>(1 << 23));
  }
  return values;
}

std::vector<double> random_doubles(std::size_t count, std::uint64_t seed, float scale) {
  return to_double(random_floats(count, seed, scale));
}

std::vector<std::int32_t> random_tokens(std::size_t count, std::uint64_t seed, std::int32_t vocabulary) {
  VKGPT_CHECK(vocabulary > 0);
  std::vector<std::int32_t> tokens(count);
  for (std::size_t i = 0; i < count; ++i)
    tokens[i] = static_cast<std::int32_t>(mix(seed, i) % static_cast<std::uint64_t>(vocabulary));
  return tokens;
}

std::vector<double> to_double(std::span<const float> values) {
  return {values.begin(), values.end()};
}

std::vector<float> to_float(std::span<const double> values) {
  std::vector<float> result(values.size());
  std::ranges::transform(values, result.begin(), [](double value) { return static_cast<float>(value); });
  return result;
}

}  // namespace vkgpt::reference
