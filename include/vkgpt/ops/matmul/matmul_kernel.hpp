#pragma once

#include <compare>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "vkgpt/vk/kernel_choices.hpp"

namespace vkgpt::ops {

/// A way to compute a matrix product: a backend and the sizes that it leaves open (0 where it leaves none).
struct MatmulKernel {
  vk::Backend backend = vk::Backend::kScalar;
  std::int64_t rows = 0, columns = 0, depth = 0;  // of the tile of a workgroup
  std::int64_t part_rows = 0, part_columns = 0;   // of it, an invocation's (simt) or a subgroup's (khr)
  std::int64_t lanes = 0;                         // of a subgroup (khr)
  std::int64_t buffers = 0;   // that panels alternate between (khr); 0: as many as fit, up to 2
  std::int64_t k_splits = 1;  // split-K: parts of K that are computed side by side
  auto operator<=>(const MatmulKernel&) const = default;
};

/// "scalar", "simt 128x64x16 8x4", "khr 128x128x32 64x64 l32 b1 k4": for the tuner's file and for people.
std::string to_string(const MatmulKernel& kernel);

/// The kernel of that text; nothing when it is none.
std::optional<MatmulKernel> parse_matmul_kernel(std::string_view text);

}  // namespace vkgpt::ops
