#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>

namespace vkgpt::model {

/// Dimensions that a tensor of ggml has at most.
inline constexpr std::size_t kMaxGgmlRank = 4;

/// A type of ggml's tensors: `values` numbers lie in a block of `bytes`.
struct GgmlType {
  std::uint32_t number = 0;
  std::string_view name;
  std::size_t values = 1;
  std::size_t bytes = 0;
  /// Writes the numbers of one block.
  void (*dequantize)(const std::byte* block, float* out) = nullptr;
};

/// Null for one that is not read.
const GgmlType* ggml_type(std::uint32_t number);

/// The names of all that are read, for messages.
std::string_view ggml_type_names();

}  // namespace vkgpt::model
