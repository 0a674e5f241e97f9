#include "vkgpt/plan/dispatch.hpp"

#include <utility>

#include "vkgpt/core/check.hpp"
#include "vkgpt/plan/limits.hpp"

namespace vkgpt::plan {

Binding read(const Tensor& t) {
  return {t.id, 0, t.bytes(), Access::kRead};
}
Binding write(const Tensor& t) {
  return {t.id, 0, t.bytes(), Access::kWrite};
}
Binding read_write(const Tensor& t) {
  return {t.id, 0, t.bytes(), Access::kReadWrite};
}

Binding rows(Binding whole, const Tensor& t, std::int64_t first, std::int64_t count) {
  VKGPT_CHECK(first >= 0 && count > 0 && first + count <= t.shape.rows(), "rows {}+{} of {}", first, count,
              t.shape.to_string());
  const std::int64_t row_bytes = t.shape.back() * dtype_size(t.dtype);
  whole.offset += static_cast<std::uint64_t>(first * row_bytes);
  whole.size = static_cast<std::uint64_t>(count * row_bytes);
  return whole;
}

Macros& Macros::flag(std::string name, bool is_set) {
  return is_set ? text(std::move(name), "1") : *this;
}

Macros& Macros::dtype(std::string name, DType dtype) {
  switch (dtype) {
    case DType::kF32:
      return value(std::move(name), 0);
    case DType::kF16:
      return value(std::move(name), 1);
    case DType::kBF16:
      return value(std::move(name), 2);
    default:
      VKGPT_CHECK(false, "{} is no element type of a kernel", dtype_name(dtype));
  }
}

Macros& Macros::text(std::string name, std::string text) {
  list_.push_back({std::move(name), std::move(text)});
  return *this;
}

Macros& Macros::append(const Macros& others) {
  list_.insert(list_.end(), others.begin(), others.end());
  return *this;
}

void PushWords::add(std::int64_t value) {
  VKGPT_CHECK(value >= 0, "push constant {} is negative", value);
  check_fits(std::in_range<std::uint32_t>(value), "a kernel would count to {}, 32 bits hold 4294967295",
             value);
  words_.push_back(static_cast<std::uint32_t>(value));
}

}  // namespace vkgpt::plan
