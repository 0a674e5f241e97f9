#include "vkgpt/train/outer_codec.hpp"

#include <algorithm>
#include <cmath>
#include <cstring>

#include "vkgpt/core/check.hpp"
#include "vkgpt/core/error.hpp"

namespace vkgpt::train {
namespace {

constexpr std::size_t kBlockValues = kOuterBlock;
constexpr int kNibbleOffset = 8;

int largest_code(int bits) {
  return bits == 8 ? 127 : 7;
}

std::size_t code_bytes(std::size_t values, int bits) {
  return bits == 8 ? values : (values + 1) / 2;
}

float scale_of(std::span<const float> block, int bits) {
  float largest = 0;
  for (const float value : block) {
    if (!std::isfinite(value)) fail("a worker's weights are not finite any more: lower --learning_rate");
    largest = std::max(largest, std::abs(value));
  }
  return largest / static_cast<float>(largest_code(bits));
}

void encode_block(std::span<const float> block, int bits, std::byte* out) {
  const float scale = scale_of(block, bits);
  std::memcpy(out, &scale, sizeof(scale));
  out += sizeof(scale);
  const auto code = [&](std::size_t i) {
    if (i >= block.size() || scale == 0) return 0;
    const int most = largest_code(bits);
    return std::clamp(static_cast<int>(std::nearbyint(block[i] / scale)), -most, most);
  };
  for (std::size_t i = 0; i < block.size(); i += bits == 8 ? 1 : 2) {
    *out++ = bits == 8
                 ? static_cast<std::byte>(code(i))
                 : static_cast<std::byte>((code(i) + kNibbleOffset) | ((code(i + 1) + kNibbleOffset) << 4));
  }
}

void add_block(const std::byte* bytes, int bits, std::span<double> sums) {
  float scale = 0;
  std::memcpy(&scale, bytes, sizeof(scale));
  bytes += sizeof(scale);
  for (std::size_t i = 0; i < sums.size(); ++i) {
    const int code =
        bits == 8 ? static_cast<std::int8_t>(bytes[i])
                  : ((std::to_integer<int>(bytes[i / 2]) >> (i % 2 == 0 ? 0 : 4)) & 15) - kNibbleOffset;
    sums[i] += static_cast<double>(scale) * code;
  }
}

}  // namespace

std::int64_t outer_bytes(std::int64_t values, int bits) {
  if (bits == 32) return 4 * values;
  const std::int64_t whole = values / kOuterBlock;
  const std::int64_t rest = values % kOuterBlock;
  const auto bytes = [&](std::int64_t count) {
    return count == 0
               ? 0
               : static_cast<std::int64_t>(sizeof(float) + code_bytes(static_cast<std::size_t>(count), bits));
  };
  return whole * bytes(kOuterBlock) + bytes(rest);
}

void outer_encode(std::span<const float> values, int bits, std::span<std::byte> out) {
  VKGPT_CHECK(std::ssize(out) == outer_bytes(std::ssize(values), bits), "{} bytes for {} values", out.size(),
              values.size());
  if (bits == 32) {
    std::ranges::copy(std::as_bytes(values), out.begin());
    return;
  }
  const std::size_t stride = sizeof(float) + code_bytes(kBlockValues, bits);
  for (std::size_t first = 0; first < values.size(); first += kBlockValues) {
    encode_block(values.subspan(first, std::min(kBlockValues, values.size() - first)), bits,
                 out.data() + first / kBlockValues * stride);
  }
}

void outer_add(std::span<const std::byte> bytes, int bits, std::span<double> sums) {
  VKGPT_CHECK(std::ssize(bytes) == outer_bytes(std::ssize(sums), bits), "{} bytes for {} values",
              bytes.size(), sums.size());
  if (bits == 32) {
    for (std::size_t i = 0; i < sums.size(); ++i) {
      float value = 0;
      std::memcpy(&value, bytes.data() + i * sizeof(value), sizeof(value));
      sums[i] += static_cast<double>(value);
    }
    return;
  }
  const std::size_t stride = sizeof(float) + code_bytes(kBlockValues, bits);
  for (std::size_t first = 0; first < sums.size(); first += kBlockValues) {
    add_block(bytes.data() + first / kBlockValues * stride, bits,
              sums.subspan(first, std::min(kBlockValues, sums.size() - first)));
  }
}

}  // namespace vkgpt::train
