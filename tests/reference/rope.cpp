#include "reference/rope.hpp"

#include <cmath>

#include "vkgpt/core/check.hpp"

namespace vkgpt::reference {
namespace {

Vector rotate(View qkv, const AttentionShape& s, double theta, double direction) {
  VKGPT_CHECK(qkv.size() == s.B * s.T * s.qkv_width() && s.HS() % 2 == 0);
  const std::size_t half = s.HS() / 2;
  Vector result(qkv.begin(), qkv.end());
  for (std::size_t row = 0; row < s.B * s.T; ++row) {
    for (std::size_t head = 0; head < s.NH + s.kv_heads(); ++head) {
      for (std::size_t i = 0; i < half; ++i) {
        const auto t = static_cast<double>(row % s.T);
        const double exponent = -static_cast<double>(2 * i) / static_cast<double>(s.HS());
        const double angle = direction * t * std::pow(theta, exponent);
        const std::size_t at = row * s.qkv_width() + head * s.HS() + i;
        result[at] = qkv[at] * std::cos(angle) - qkv[at + half] * std::sin(angle);
        result[at + half] = qkv[at + half] * std::cos(angle) + qkv[at] * std::sin(angle);
      }
    }
  }
  return result;
}

}  // namespace

Vector rope_forward(View qkv, const AttentionShape& s, double theta) {
  return rotate(qkv, s, theta, 1.0);
}

Vector rope_backward(View dqkv, const AttentionShape& s, double theta) {
  return rotate(dqkv, s, theta, -1.0);
}

}  // namespace vkgpt::reference
