#include "vkgpt/ops/cast.hpp"

#include <bit>
#include <cmath>
#include <limits>

#include "vkgpt/check/op_table.hpp"
#include "vkgpt/core/format.hpp"
#include "vkgpt/core/half.hpp"

namespace vkgpt::check {
namespace {

constexpr float kMax = std::numeric_limits<float>::max();

/// Exactly what conversion by hand gives: round to nearest, ties to even.
void converted(Trial& t, const std::vector<float>& values, DType from, DType to, float scale = 1.0F) {
  const auto n = static_cast<std::int64_t>(values.size());
  const plan::Tensor x = t.input({n}, values, from), y = t.output({1, n, 1}, to);
  ops::cast(t.builder(), x, y, scale);
  std::vector<float> expected = rounded(values, from);
  for (float& value : expected) value *= scale;
  t.expect_exactly("y", y, rounded(expected, to));
}

/// Every finite f16, the middle between it and the next one, and that middle's neighbours, of both signs:
/// ties go to the even one, subnormals are kept, and from 65520 on there is infinity.
std::vector<float> around_every_f16() {
  std::vector<float> x;
  for (std::uint32_t bits = 0; bits < 0x7c00; ++bits) {
    const float value = f16_to_float(static_cast<std::uint16_t>(bits));
    const float next = bits == 0x7bff ? 65536.0F : f16_to_float(static_cast<std::uint16_t>(bits + 1));
    const float middle = (value + next) / 2;
    for (const float v : {value, middle, std::nextafter(middle, 0.0F), std::nextafter(middle, HUGE_VALF)}) {
      x.push_back(bits % 2 == 0 ? v : -v);
    }
  }
  return x;
}

std::vector<float> around_many_bf16() {
  std::vector<float> x;
  for (std::uint32_t high = 0x0080; high < 0x7f80; high += 3) {
    for (const std::uint32_t low : {0x0000U, 0x7fffU, 0x8000U, 0x8001U, 0xffffU}) {
      x.push_back(std::bit_cast<float>(high << 16 | (high % 2) << 31 | low));
    }
  }
  return x;
}

std::vector<float> every_f16() {
  std::vector<float> x(65536);
  for (std::uint32_t bits = 0; bits < 65536; ++bits) x[bits] = f16_to_float(static_cast<std::uint16_t>(bits));
  return x;
}

}  // namespace

std::vector<Case> cast_cases() {
  std::vector<Case> cases;
  const auto add = [&](const std::string& what, DType from, DType to, std::vector<float> (*values)()) {
    cases.push_back({.variant = vkgpt::format("{} to {} {}", dtype_name(from), dtype_name(to), what),
                     .dtype = DType::kF16,
                     .build = [=](Trial& t) { converted(t, values(), from, to); }});
  };
  for (const DType from : kFloatTypes) {
    for (const DType to : kFloatTypes) {
      for (const std::int64_t n : {1, 7, 128, 257, 2000}) {
        const bool is_plain = from == DType::kF32 && to == DType::kF32;
        cases.push_back({.variant = vkgpt::format("{} to {} {}", dtype_name(from), dtype_name(to), n),
                         .dtype = is_plain ? DType::kF32 : DType::kF16,
                         .quick = n == 257,
                         .devices = folded_devices(1024),
                         .build = [=](Trial& t) {
                           const auto count = static_cast<std::size_t>(n);
                           converted(t, random_floats(count, 1, 100.0F), from, to, 0.375F);
                         }});
      }
      add("of what is not finite", from, to,
          [] { return std::vector<float>{kInfinity, -kInfinity, NAN, 0.0F}; });
    }
  }
  add("around every value", DType::kF32, DType::kF16, around_every_f16);
  add("around many values", DType::kF32, DType::kBF16, around_many_bf16);
  add("of every value", DType::kF16, DType::kF32, every_f16);
  for (const DType to : {DType::kF16, DType::kBF16}) {
    add("overflows", DType::kF32, to, [] {
      return std::vector<float>{
          65519.0F, 65520.0F, -1e6F, kMax, -kMax, -0.0F, std::bit_cast<float>(0x7f800001U)};
    });
  }
  cases.push_back({.variant = "f32 to f16 scaled into range", .dtype = DType::kF16, .build = [](Trial& t) {
                     converted(t, {3e5F}, DType::kF32, DType::kF16, 0.125F);
                   }});
  return cases;
}

}  // namespace vkgpt::check
