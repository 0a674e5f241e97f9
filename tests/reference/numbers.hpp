#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

namespace vkgpt::reference {

/// sum (actual - expected)^2 / sum expected^2; 0 if both are all zero, infinity if only `expected` is.
double nmse(std::span<const float> actual, std::span<const double> expected);
/// Largest |actual - expected|.
double max_abs(std::span<const float> actual, std::span<const double> expected);
/// Largest |actual - expected| / max(|expected|, floor).
double max_rel(std::span<const float> actual, std::span<const double> expected, double floor = 1e-6);

/// Bound for fp32 kernels, from QUALITY.
inline constexpr double kFp32Nmse = 1e-10;

/// By the bits: a compiler may assume that isnan is false.
bool is_finite(float value);
bool is_finite(double value);

/// Uniform in [-scale, scale), the same for one seed on every machine. Every value is exact in float, so that
/// a kernel and its double reference read the same inputs.
std::vector<float> random_floats(std::size_t count, std::uint64_t seed, float scale = 1.0F);
/// The same values as `random_floats`.
std::vector<double> random_doubles(std::size_t count, std::uint64_t seed, float scale = 1.0F);
/// Uniform in [0, vocabulary).
std::vector<std::int32_t> random_tokens(std::size_t count, std::uint64_t seed, std::int32_t vocabulary);

std::vector<double> to_double(std::span<const float> values);
std::vector<float> to_float(std::span<const double> values);

}  // namespace vkgpt::reference
