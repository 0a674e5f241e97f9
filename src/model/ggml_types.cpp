#include "model/ggml_types.hpp"

#include <algorithm>
#include <array>
#include <cstring>

#include "vkgpt/core/half.hpp"

// Formats: ggml's quants; the sums are in the order of the Python package gguf, so that numbers are equal.

namespace vkgpt::model {
namespace {

constexpr std::size_t kSmall = 32;   // numbers in a block of the older types
constexpr std::size_t kSuper = 256;  // and in one of the K types

template <typename T>
T load(const std::byte* bytes) {
  T value;
  std::memcpy(&value, bytes, sizeof(T));
  return value;
}

float half(const std::byte* bytes) {
  return f16_to_float(load<std::uint16_t>(bytes));
}

unsigned byte_at(const std::byte* bytes, std::size_t i) {
  return std::to_integer<unsigned>(bytes[i]);
}

void read_f32(const std::byte* block, float* out) {
  *out = load<float>(block);
}

void read_f16(const std::byte* block, float* out) {
  *out = half(block);
}

void read_bf16(const std::byte* block, float* out) {
  *out = bf16_to_float(load<std::uint16_t>(block));
}

/// Four bits of number `i` of 32: low halves first.
unsigned nibble(const std::byte* quants, std::size_t i) {
  return i < kSmall / 2 ? byte_at(quants, i) & 15U : byte_at(quants, i - kSmall / 2) >> 4U;
}

void read_q4_0(const std::byte* block, float* out) {
  const float scale = half(block);
  for (std::size_t i = 0; i < kSmall; ++i) {
    out[i] = scale * static_cast<float>(static_cast<int>(nibble(block + 2, i)) - 8);
  }
}

void read_q4_1(const std::byte* block, float* out) {
  const float scale = half(block);
  const float least = half(block + 2);
  for (std::size_t i = 0; i < kSmall; ++i) {
    out[i] = scale * static_cast<float>(nibble(block + 4, i)) + least;
  }
}

void read_q5_0(const std::byte* block, float* out) {
  const float scale = half(block);
  const auto high = load<std::uint32_t>(block + 2);
  for (std::size_t i = 0; i < kSmall; ++i) {
    const unsigned q = nibble(block + 6, i) | (high >> i & 1U) << 4U;
    out[i] = scale * static_cast<float>(static_cast<int>(q) - 16);
  }
}

void read_q5_1(const std::byte* block, float* out) {
  const float scale = half(block);
  const float least = half(block + 2);
  const auto high = load<std::uint32_t>(block + 4);
  for (std::size_t i = 0; i < kSmall; ++i) {
    const unsigned q = nibble(block + 8, i) | (high >> i & 1U) << 4U;
    out[i] = scale * static_cast<float>(q) + least;
  }
}

void read_q8_0(const std::byte* block, float* out) {
  const float scale = half(block);
  for (std::size_t i = 0; i < kSmall; ++i) {
    out[i] = scale * static_cast<float>(load<std::int8_t>(block + 2 + i));
  }
}

/// Scale and least value of sub-block `i` of 8, six bits each in twelve bytes.
struct SubScale {
  float scale = 0;
  float least = 0;
};

SubScale sub_scale(const std::byte* block, std::size_t i) {
  const std::byte* packed = block + 4;
  unsigned scale = 0;
  unsigned least = 0;
  if (i < 4) {
    scale = byte_at(packed, i) & 63U;
    least = byte_at(packed, i + 4) & 63U;
  } else {
    scale = (byte_at(packed, i + 4) & 15U) | (byte_at(packed, i - 4) >> 2U & 48U);
    least = byte_at(packed, i + 4) >> 4U | (byte_at(packed, i) >> 2U & 48U);
  }
  return {.scale = half(block) * static_cast<float>(scale),
          .least = half(block + 2) * static_cast<float>(least)};
}

/// Number `i` of the 256 in 128 bytes: of each 32 bytes the low halves come before the high ones.
unsigned super_nibble(const std::byte* quants, std::size_t i) {
  const unsigned both = byte_at(quants, i / 64 * 32 + i % 32);
  return i % 64 < 32 ? both & 15U : both >> 4U;
}

void read_q4_k(const std::byte* block, float* out) {
  for (std::size_t i = 0; i < kSuper; ++i) {
    const SubScale sub = sub_scale(block, i / 32);
    out[i] = sub.scale * static_cast<float>(super_nibble(block + 16, i)) - sub.least;
  }
}

void read_q5_k(const std::byte* block, float* out) {
  for (std::size_t i = 0; i < kSuper; ++i) {
    const SubScale sub = sub_scale(block, i / 32);
    const unsigned high = byte_at(block + 16, i % 32) >> (i / 32) & 1U;
    out[i] = sub.scale * static_cast<float>(super_nibble(block + 48, i) | high << 4U) - sub.least;
  }
}

void read_q6_k(const std::byte* block, float* out) {
  const float scale = half(block + 208);
  for (std::size_t i = 0; i < kSuper; ++i) {
    const std::size_t part = i / 128;  // of two
    const std::size_t quarter = i % 128 / 32;
    const unsigned both = byte_at(block, part * 64 + quarter % 2 * 32 + i % 32);
    const unsigned low = quarter < 2 ? both & 15U : both >> 4U;
    const unsigned high = byte_at(block + 128, part * 32 + i % 32) >> (2 * quarter) & 3U;
    const float sub = scale * static_cast<float>(load<std::int8_t>(block + 192 + i / 16));
    out[i] = sub * static_cast<float>(static_cast<int>(low | high << 4U) - 32);
  }
}

constexpr std::array<GgmlType, 11> kTypes = {{{0, "F32", 1, 4, read_f32},
                                              {1, "F16", 1, 2, read_f16},
                                              {2, "Q4_0", kSmall, 18, read_q4_0},
                                              {3, "Q4_1", kSmall, 20, read_q4_1},
                                              {6, "Q5_0", kSmall, 22, read_q5_0},
                                              {7, "Q5_1", kSmall, 24, read_q5_1},
                                              {8, "Q8_0", kSmall, 34, read_q8_0},
                                              {12, "Q4_K", kSuper, 144, read_q4_k},
                                              {13, "Q5_K", kSuper, 176, read_q5_k},
                                              {14, "Q6_K", kSuper, 210, read_q6_k},
                                              {30, "BF16", 1, 2, read_bf16}}};

}  // namespace

const GgmlType* ggml_type(std::uint32_t number) {
  const auto* found = std::ranges::find(kTypes, number, &GgmlType::number);
  return found == kTypes.end() ? nullptr : found;
}

std::string_view ggml_type_names() {
  return "F32, F16, BF16, Q4_0, Q4_1, Q5_0, Q5_1, Q8_0, Q4_K, Q5_K, Q6_K";
}

}  // namespace vkgpt::model
