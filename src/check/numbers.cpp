#include "vkgpt/check/numbers.hpp"

#include <algorithm>
#include <bit>
#include <cmath>
#include <functional>
#include <limits>
#include <numeric>

#include "vkgpt/core/check.hpp"
#include "vkgpt/core/half.hpp"

namespace vkgpt::check {
namespace {

/// SplitMix64 (Steele, Lea, Flood 2014): the i-th output for a seed.
std::uint64_t mix(std::uint64_t seed, std::uint64_t i) {
  std::uint64_t z = seed * 0xd1342543de82ef95U + (i + 1) * 0x9e3779b97f4a7c15U;
  z = (z ^ (z >> 30U)) * 0xbf58476d1ce4e5b9U;
  z = (z ^ (z >> 27U)) * 0x94d049bb133111ebU;
  return z ^ (z >> 31U);
}

}  // namespace

Vector map(View x, const std::function<double(double)>& f) {
  Vector y(x.size());
  std::ranges::transform(x, y.begin(), f);
  return y;
}

Vector map(View a, View b, const std::function<double(double, double)>& f) {
  VKGPT_CHECK(a.size() == b.size());
  Vector y(a.size());
  std::ranges::transform(a, b, y.begin(), f);
  return y;
}

Vector add(View a, View b) {
  return map(a, b, std::plus());
}

double dot(View a, View b) {
  VKGPT_CHECK(a.size() == b.size());
  return std::inner_product(a.begin(), a.end(), b.begin(), 0.0);
}

View row_of(View matrix, std::int64_t row, std::int64_t C) {
  return matrix.subspan(static_cast<std::size_t>(row * C), static_cast<std::size_t>(C));
}

void append(Vector& values, View more) {
  values.insert(values.end(), more.begin(), more.end());
}

Vector numeric_gradient(const std::function<double(View x)>& loss, View x) {
  constexpr double kEps = 1e-5;
  Vector at(x.begin(), x.end()), gradient;
  for (std::size_t i = 0; i < at.size(); ++i) {
    at[i] = x[i] + kEps;
    const double above = loss(at);
    at[i] = x[i] - kEps;
    gradient.push_back((above - loss(at)) / (2.0 * kEps));
    at[i] = x[i];
  }
  return gradient;
}

std::uint16_t to_16_bits(float value, DType dtype) {
  return dtype == DType::kF16 ? float_to_f16(value) : float_to_bf16(value);
}

float from_16_bits(std::uint16_t bits, DType dtype) {
  return dtype == DType::kF16 ? f16_to_float(bits) : bf16_to_float(bits);
}

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

std::vector<float> rounded(std::span<const float> values, DType dtype) {
  std::vector<float> result(values.begin(), values.end());
  if (dtype_size(dtype) != 2) return result;
  for (float& value : result) value = from_16_bits(to_16_bits(value, dtype), dtype);
  return result;
}

double rounding_bound(DType dtype) {
  if (dtype == DType::kF32) return kFp32Nmse;
  return dtype == DType::kF16 ? 0x1.1p-22 : 0x1.1p-16;
}

}  // namespace vkgpt::check
