#pragma once

#include "vkgpt/core/check.hpp"
#include "vkgpt/plan/tensor.hpp"

namespace vkgpt::ops {

/// The (position, slot) of each of `rows` rows, see ops/attention/attention.hpp.
inline void check_places(const plan::Tensor& places, std::int64_t rows) {
  VKGPT_CHECK(places.shape == (Shape{rows, 2}) && places.dtype == DType::kI32, "places {} {} for {} rows",
              dtype_name(places.dtype), places.shape.to_string(), rows);
}

/// The position in its document of each of `rows` rows, see ops/documents.hpp.
inline void check_positions(const plan::Tensor& positions, std::int64_t rows) {
  VKGPT_CHECK(positions.shape.numel() == rows && positions.dtype == DType::kI32,
              "positions {} {} for {} rows", dtype_name(positions.dtype), positions.shape.to_string(), rows);
}

}  // namespace vkgpt::ops
