#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

namespace vkgpt::train {

/// Weight differences that are sent share a scale with so many neighbours.
inline constexpr std::int64_t kOuterBlock = 256;

/// Bytes of `values` differences in `bits` (32, 8 or 4) each: f32 as it is, else by blocks an f32 scale and
/// codes from -127 to 127, or from -7 to 7 two in a byte.
std::int64_t outer_bytes(std::int64_t values, int bits);

/// Rounds to the nearest code of each block, whose largest magnitude is the largest code. `out` has
/// `outer_bytes`. Throws `Error` for values that are not finite.
void outer_encode(std::span<const float> values, int bits, std::span<std::byte> out);

/// Adds what was encoded to `sums`.
void outer_add(std::span<const std::byte> bytes, int bits, std::span<double> sums);

}  // namespace vkgpt::train
