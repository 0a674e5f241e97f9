#pragma once

#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <span>
#include <string>
#include <vector>

namespace vkgpt {

/// Dimensions of a row-major tensor, outermost first.
class Shape {
 public:
  Shape() = default;
  Shape(std::initializer_list<std::int64_t> dims) : Shape(std::vector<std::int64_t>(dims)) {}
  /// Checks that no dimension is negative and that the product fits 63 bits.
  explicit Shape(std::vector<std::int64_t> dims);

  std::size_t rank() const { return dims_.size(); }
  /// Dimension `i`; negative `i` counts from the end.
  std::int64_t operator[](int i) const;
  std::int64_t back() const { return (*this)[-1]; }
  std::int64_t numel() const { return numel_; }
  /// Product of all dimensions but the last.
  std::int64_t rows() const;
  std::span<const std::int64_t> dims() const { return dims_; }
  /// "(4, 128)".
  std::string to_string() const;

  friend bool operator==(const Shape& a, const Shape& b) { return a.dims_ == b.dims_; }

 private:
  std::vector<std::int64_t> dims_;
  std::int64_t numel_ = 1;
};

}  // namespace vkgpt
