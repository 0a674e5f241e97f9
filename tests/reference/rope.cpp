#include "reference/rope.hpp"

#include <cmath>
#include <numbers>

#include "vkgpt/core/check.hpp"

namespace vkgpt::reference {
namespace {

/// As transformers has it (`_compute_llama3_parameters`), in wavelengths.
double frequency(const Rope& rope, std::size_t i, std::size_t HS) {
  const double plain = std::pow(rope.theta, -static_cast<double>(2 * i) / static_cast<double>(HS));
  const double wavelength = 2 * std::numbers::pi / plain;
  if (rope.factor == 1 || wavelength < rope.original_context / rope.high) return plain;
  if (wavelength > rope.original_context / rope.low) return plain / rope.factor;
  const double smooth = (rope.original_context / wavelength - rope.low) / (rope.high - rope.low);
  return (1 - smooth) * plain / rope.factor + smooth * plain;
}

Vector rotate(View qkv, const AttentionShape& s, const Rope& rope, double direction) {
  VKGPT_CHECK(qkv.size() == s.B * s.T * s.qkv_width() && s.HS() % 2 == 0);
  const std::size_t half = s.HS() / 2;
  Vector result(qkv.begin(), qkv.end());
  for (std::size_t row = 0; row < s.B * s.T; ++row) {
    for (std::size_t head = 0; head < s.NH + s.kv_heads(); ++head) {
      for (std::size_t i = 0; i < half; ++i) {
        const auto t = static_cast<double>(row % s.T);
        const double angle = direction * t * frequency(rope, i, s.HS());
        const std::size_t at = row * s.qkv_width() + head * s.HS() + i;
        result[at] = qkv[at] * std::cos(angle) - qkv[at + half] * std::sin(angle);
        result[at + half] = qkv[at + half] * std::cos(angle) + qkv[at] * std::sin(angle);
      }
    }
  }
  return result;
}

}  // namespace

Vector rope_forward(View qkv, const AttentionShape& s, const Rope& rope) {
  return rotate(qkv, s, rope, 1.0);
}

Vector rope_backward(View dqkv, const AttentionShape& s, const Rope& rope) {
  return rotate(dqkv, s, rope, -1.0);
}

}  // namespace vkgpt::reference
