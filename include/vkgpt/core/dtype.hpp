#pragma once

#include <cstdint>
#include <string_view>

namespace vkgpt {

enum class DType { kF32, kF16, kBF16, kU32, kI32 };

/// Bytes of one element.
constexpr std::int64_t dtype_size(DType dtype) {
  return dtype == DType::kF16 || dtype == DType::kBF16 ? 2 : 4;
}

/// "f32", "f16", "bf16", "u32", "i32".
constexpr std::string_view dtype_name(DType dtype) {
  switch (dtype) {
    case DType::kF32:
      return "f32";
    case DType::kF16:
      return "f16";
    case DType::kBF16:
      return "bf16";
    case DType::kU32:
      return "u32";
    case DType::kI32:
      return "i32";
  }
  return "?";
}

}  // namespace vkgpt
