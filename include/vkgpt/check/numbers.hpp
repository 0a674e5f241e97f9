#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <limits>
#include <span>
#include <vector>

#include "vkgpt/core/dtype.hpp"

namespace vkgpt::check {

using Vector = std::vector<double>;
using View = std::span<const double>;

/// f of each element; and of each pair of them.
Vector map(View x, const std::function<double(double)>& f);
Vector map(View a, View b, const std::function<double(double, double)>& f);
/// a + b, element by element.
Vector add(View a, View b);

double dot(View a, View b);
/// Row `row` of a matrix of C columns.
View row_of(View matrix, std::int64_t row, std::int64_t C);
void append(Vector& values, View more);

/// The gradient of `loss` at x by central differences, in 2 x.size() evaluations: a mistake in a derivative
/// cannot be in it.
Vector numeric_gradient(const std::function<double(View x)>& loss, View x);

/// sum (actual - expected)^2 / sum expected^2; 0 if both are all zero, infinity if only `expected` is.
double nmse(std::span<const float> actual, std::span<const double> expected);
/// Largest |actual - expected|.
double max_abs(std::span<const float> actual, std::span<const double> expected);
/// Largest |actual - expected| / max(|expected|, floor).
double max_rel(std::span<const float> actual, std::span<const double> expected, double floor = 1e-6);

/// Bound for fp32 kernels, from QUALITY.
inline constexpr double kFp32Nmse = 1e-10;

inline constexpr float kInfinity = std::numeric_limits<float>::infinity();
inline constexpr float kNaN = std::numeric_limits<float>::quiet_NaN();

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
/// The bits of the nearest f16 or bf16, and their value.
std::uint16_t to_16_bits(float value, DType dtype);
float from_16_bits(std::uint16_t bits, DType dtype);
/// `values` as f32, f16 or bf16 hold them.
std::vector<float> rounded(std::span<const float> values, DType dtype);

/// Bound of the NMSE of an output that is rounded once from fp32: that of fp32 sums, or the square of half a
/// unit in the last place, 2^-11 or 2^-8, with room for another order of summation.
double rounding_bound(DType dtype);

}  // namespace vkgpt::check
