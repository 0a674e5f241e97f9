#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "vkgpt/core/blocks.hpp"
#include "vkgpt/core/dtype.hpp"

namespace vkgpt::ops {

/// Operands as stored: NN a (M, K), b (K, N); NT a (M, K), b (N, K); TN a (K, M), b (K, N). c is (M, N). The
/// numbers are those of shaders/include/matmul_forms.glsl.
enum class Transposition { kNN = 0, kNT = 1, kTN = 2 };

/// The epilogue of a finished element of C; the numbers are those of shaders/include/matmul_forms.glsl.
enum class Epilogue { kNone = 0, kGelu = 1, kGeluGrad = 2 };

/// Whether the bits of a row of C depend on that row of A alone: not on how many rows there are, nor on where
/// it is among them, nor on what `vkgpt tune` measured.
enum class ByRows {
  kNo,
  kFew,   // yes, by a kernel that is best for few rows, whatever wishes for kernels there are
  kMany,  // yes, by one that is best for many: on GPUs another, in tiles, with other bits than kFew
};

struct Extents {
  std::int64_t m, n, k;
};

/// All that the speed of a matrix product depends on: form, type, sizes, epilogue. As a text it is the
/// `plan::Dispatch::work` of the product's dispatches and its name in `vk::KernelChoices::measured`.
struct MatmulKey {
  Transposition transposition;
  DType dtype;  // of A, and of B without blocks
  Extents extents;
  bool bias = false;
  Epilogue epilogue = Epilogue::kNone;
  bool accumulate = false;
  bool row_sums = false;
  std::optional<BlockType> blocks = {};  // of B

  /// Multiplications and additions.
  double flops() const;
};

/// "nt f16 2048x768x768 bias gelu", "nt f16 8x768x768 q8_0".
std::string to_string(const MatmulKey& key);

/// The key of that text; nothing when it is none.
std::optional<MatmulKey> parse_matmul_key(std::string_view text);

}  // namespace vkgpt::ops
