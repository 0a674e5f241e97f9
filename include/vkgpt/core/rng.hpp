#pragma once

#include <array>
#include <cstdint>
#include <span>

namespace vkgpt {

using PhiloxCounter = std::array<std::uint32_t, 4>;
using PhiloxKey = std::array<std::uint32_t, 2>;

/// Philox4x32-10 (Salmon et al., "Parallel random numbers: as easy as 1, 2, 3", SC 2011), bit for bit as in
/// Random123. `shaders/include/philox.glsl` is its twin.
PhiloxCounter philox4x32(PhiloxCounter counter, PhiloxKey key);

/// The use of random numbers; streams of different uses never overlap. The values are part of the
/// checkpoint contract: a run continues bit for bit only while they stay.
enum class RngPurpose : std::uint32_t {
  kInit = 1,
  kTrainData = 2,
  kEvalData = 3,
  kSampling = 4,
  kDropout = 5,
  kDataOrder = 6
};

/// Names one stream of numbers. The same name gives the same numbers on any host and in any order.
/// key = seed (low word, high word); counter = (block, index, step, purpose | sub << 8).
struct RngStream {
  std::uint64_t seed = 0;
  RngPurpose purpose = RngPurpose::kInit;
  /// Tensor, micro-step or sample number, below 2^24.
  std::uint32_t sub = 0;
  /// Optimizer step or token position.
  std::uint32_t step = 0;
  /// Row, or another index of the caller's.
  std::uint32_t index = 0;

  /// Words 4 * block to 4 * block + 3 of the stream.
  PhiloxCounter block(std::uint32_t block) const;
};

/// Uniform in [0, 1): the upper 24 bits of `word`, exact in fp32.
constexpr float uniform_float(std::uint32_t word) {
  return static_cast<float>(word >> 8) * 0x1p-24F;
}

/// Reads a stream from its beginning.
class RngReader {
 public:
  explicit RngReader(const RngStream& stream) : stream_(stream) {}

  std::uint32_t next_u32();
  /// Two words, the low one first.
  std::uint64_t next_u64();
  /// Uniform in [0, 1), 24 bits.
  float uniform() { return uniform_float(next_u32()); }
  /// Unbiased integer in [0, bound), bound >= 1 (Lemire, "Fast random integer generation in an interval",
  /// 2019).
  std::uint64_t below(std::uint64_t bound);

 private:
  RngStream stream_;
  PhiloxCounter words_{};
  std::uint64_t position_ = 0;
};

/// Four independent standard normals from one block, by the Box-Muller transform in double precision.
std::array<double, 4> normal_block(const PhiloxCounter& words);

/// out[i] = mean + stddev * z_i, where z_i is element i % 4 of `normal_block` of block i / 4 of the stream,
/// so that any part of a tensor can be filled alone. `offset`, a multiple of 4, is the i of out[0].
void fill_normal(const RngStream& stream, std::span<float> out, double mean, double stddev,
                 std::uint64_t offset = 0);

}  // namespace vkgpt
