#include "vkgpt/core/shape.hpp"

#include <utility>

#include "vkgpt/core/check.hpp"
#include "vkgpt/core/format.hpp"

namespace vkgpt {

Shape::Shape(std::vector<std::int64_t> dims) : dims_(std::move(dims)) {
  for (const std::int64_t d : dims_) {
    VKGPT_CHECK(d >= 0, "dimension {}", d);
    VKGPT_CHECK(!__builtin_mul_overflow(numel_, d, &numel_), "shape {} overflows", to_string());
  }
}

std::int64_t Shape::operator[](int i) const {
  const int n = static_cast<int>(dims_.size());
  const int at = i < 0 ? n + i : i;
  VKGPT_CHECK(at >= 0 && at < n, "dimension {} of {}", i, to_string());
  return dims_[static_cast<std::size_t>(at)];
}

std::int64_t Shape::rows() const {
  std::int64_t rows = 1;
  for (std::size_t i = 0; i + 1 < dims_.size(); ++i) rows *= dims_[i];
  return rows;
}

std::string Shape::to_string() const {
  std::string text = "(";
  for (std::size_t i = 0; i < dims_.size(); ++i) text += vkgpt::format("{}{}", i == 0 ? "" : ", ", dims_[i]);
  return text + ")";
}

}  // namespace vkgpt
