#include "vkgpt/model/tensor_encoding.hpp"

#include <algorithm>
#include <array>
#include <bit>
#include <vector>

#include "vkgpt/core/check.hpp"
#include "vkgpt/core/error.hpp"
#include "vkgpt/core/half.hpp"
#include "vkgpt/core/q8_0.hpp"

namespace vkgpt::model {
namespace {

static_assert(std::endian::native == std::endian::little, "files are little-endian and written as memory is");

constexpr std::array<std::string_view, 4> kNames = {"f32", "f16", "bf16", "q8_0"};
constexpr std::size_t kPiece = std::size_t{1} << 16;  // numbers; a multiple of Q8_0's block
constexpr std::uint16_t kF16Infinity = 0x7C00;
constexpr std::uint16_t kBF16Infinity = 0x7F80;
constexpr std::uint16_t kMagnitude = 0x7FFF;

bool is_finite(float value) {
  return (std::bit_cast<std::uint32_t>(value) & 0x7F800000U) != 0x7F800000U;
}

[[noreturn]] void fail_range(std::string_view name, float value, TensorEncoding encoding) {
  fail("{} holds {}, which {} cannot express; choose --dtype f32{}", name, value, encoding_name(encoding),
       encoding == TensorEncoding::kBF16 ? "" : " or bf16");
}

std::span<const std::byte> encode_16bit(std::string_view name, std::span<const float> values,
                                        TensorEncoding encoding, std::vector<std::uint16_t>& words) {
  const bool half = encoding == TensorEncoding::kF16;
  const std::uint16_t infinity = half ? kF16Infinity : kBF16Infinity;
  words.resize(values.size());
  for (std::size_t i = 0; i < values.size(); ++i) {
    words[i] = half ? float_to_f16(values[i]) : float_to_bf16(values[i]);
    if ((words[i] & kMagnitude) == infinity) fail_range(name, values[i], encoding);
  }
  return std::as_bytes(std::span(words));
}

std::span<const std::byte> encode_q8_0(std::string_view name, std::span<const float> values,
                                       std::vector<Q80Block>& blocks) {
  blocks.resize(values.size() / Q80Block::kValues);
  for (std::size_t i = 0; i < blocks.size(); ++i) {
    const auto block = values.subspan(i * Q80Block::kValues).first<Q80Block::kValues>();
    blocks[i] = quantize_q8_0(block);
    if (blocks[i].scale == kF16Infinity) {
      fail_range(name, *std::ranges::max_element(block, {}, [](float v) { return v < 0 ? -v : v; }),
                 TensorEncoding::kQ8_0);
    }
  }
  return std::as_bytes(std::span(blocks));
}

}  // namespace

std::string_view encoding_name(TensorEncoding encoding) {
  return kNames[static_cast<std::size_t>(encoding)];
}

TensorEncoding encoding_from_name(std::string_view name) {
  const auto* found = std::ranges::find(kNames, name);
  VKGPT_CHECK(found != kNames.end(), "{}", name);
  return static_cast<TensorEncoding>(found - kNames.begin());
}

std::uint64_t encoded_size(TensorEncoding encoding, std::int64_t count) {
  const auto numbers = static_cast<std::uint64_t>(count);
  if (encoding == TensorEncoding::kF32) return 4 * numbers;
  if (encoding != TensorEncoding::kQ8_0) return 2 * numbers;
  VKGPT_CHECK(numbers % Q80Block::kValues == 0, "{} numbers", count);
  return numbers / Q80Block::kValues * sizeof(Q80Block);
}

void encode_tensor(std::string_view name, std::span<const float> values, TensorEncoding encoding,
                   const ByteSink& sink) {
  std::vector<std::uint16_t> words;
  std::vector<Q80Block> blocks;
  for (std::size_t at = 0; at < values.size(); at += kPiece) {
    const auto piece = values.subspan(at, std::min(kPiece, values.size() - at));
    if (!std::ranges::all_of(piece, is_finite)) {
      fail("{} holds an infinity or NaN: the weights are damaged, or training diverged", name);
    }
    if (encoding == TensorEncoding::kF32) {
      sink(std::as_bytes(piece));
    } else if (encoding == TensorEncoding::kQ8_0) {
      sink(encode_q8_0(name, piece, blocks));
    } else {
      sink(encode_16bit(name, piece, encoding, words));
    }
  }
}

}  // namespace vkgpt::model
