#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <span>
#include <string_view>

namespace vkgpt::model {

/// How a file of weights holds a tensor's numbers.
enum class TensorEncoding {
  kF32,
  kF16,
  kBF16,
  kQ8_0,  ///< ggml's blocks of 32 numbers in 34 bytes; see core/q8_0.hpp
};

/// "f32", "f16", "bf16", "q8_0".
std::string_view encoding_name(TensorEncoding encoding);
/// The inverse; it must be one of the names.
TensorEncoding encoding_from_name(std::string_view name);

/// Bytes of `count` numbers; for Q8_0 a multiple of 32 of them.
std::uint64_t encoded_size(TensorEncoding encoding, std::int64_t count);

/// Appends bytes of the tensor that is being written.
using ByteSink = std::function<void(std::span<const std::byte>)>;

/// Gives the encoded numbers to `sink` in pieces: rounded to nearest, ties to even, in 16 bits; as ggml does
/// in Q8_0. Throws `Error`, which names the tensor, for a number that is not finite or that the encoding
/// cannot hold.
void encode_tensor(std::string_view name, std::span<const float> values, TensorEncoding encoding,
                   const ByteSink& sink);

}  // namespace vkgpt::model
