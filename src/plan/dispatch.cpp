#include "vkgpt/plan/dispatch.hpp"

#include <limits>

#include "vkgpt/core/check.hpp"

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
  const std::uint64_t row_bytes = static_cast<std::uint64_t>(t.shape.back()) * dtype_size(t.dtype);
  whole.offset += static_cast<std::uint64_t>(first) * row_bytes;
  whole.size = static_cast<std::uint64_t>(count) * row_bytes;
  return whole;
}

PushWords& PushWords::u32(std::uint64_t value) {
  VKGPT_CHECK(value <= std::numeric_limits<std::uint32_t>::max(), "{} exceeds 32 bits", value);
  words_.push_back(static_cast<std::uint32_t>(value));
  return *this;
}

}  // namespace vkgpt::plan
