#include "vkgpt/ops/softcap.hpp"

#include <cmath>

#include "vkgpt/check/definitions.hpp"
#include "vkgpt/check/op_table.hpp"
#include "vkgpt/core/check.hpp"
#include "vkgpt/core/format.hpp"

namespace vkgpt::check {

Vector softcap_forward(View x, double cap) {
  Vector y(x.begin(), x.end());
  if (cap == 0.0) return y;
  for (double& value : y) value = cap * std::tanh(value / cap);
  return y;
}

Vector softcap_backward(View dout, View x, double cap) {
  VKGPT_CHECK(dout.size() == x.size());
  Vector dx(dout.begin(), dout.end());
  if (cap == 0.0) return dx;
  for (std::size_t i = 0; i < x.size(); ++i) {
    const double t = std::tanh(x[i] / cap);
    dx[i] *= 1.0 - t * t;
  }
  return dx;
}

namespace {

/// To f32 and to the type of x.
void capped(Trial& t, const Operand& x, DType dtype, double cap) {
  const plan::Tensor y = t.output(x.tensor.shape), z = t.output(x.tensor.shape, dtype);
  ops::softcap_forward(t.builder(), x, y, cap);
  ops::softcap_forward(t.builder(), x, z, cap);
  t.expect("y", y, softcap_forward(x, cap), kFp32Nmse);
  t.expect("y in the type of x", z, softcap_forward(x, cap), rounding_bound(dtype));
}

void tiny_to_huge(Trial& t) {
  std::vector<float> x{0.0F, 3e38F, 1e10F};
  for (float value = 1e-30F; value < 1e4F; value *= 1.07F) x.push_back(value);
  for (std::size_t i = x.size(); i-- > 0;) x.push_back(-x[i]);
  const Operand in = t.given({static_cast<std::int64_t>(x.size())}, x);
  const plan::Tensor y = t.output(in.tensor.shape);
  ops::softcap_forward(t.builder(), in, y, 50);
  t.expect_near("y", y, softcap_forward(in, 50), 5e-7);
}

}  // namespace

std::vector<Case> softcap_cases() {
  std::vector<Case> cases;
  for (const DType dtype : kFloatTypes) {
    for (const std::int64_t n : {1, 65, 4099}) {
      for (const float scale : {0.01F, 200.0F}) {
        cases.push_back({.variant = vkgpt::format("{} {} up to {}", dtype_name(dtype), n, scale),
                         .dtype = dtype,
                         .quick = n == 4099,
                         .devices = folded_devices(4096),
                         .build = [=](Trial& t) { capped(t, t.random({n}, 1, scale, dtype), dtype, 30); }});
      }
    }
  }
  cases.push_back({.variant = "f32 tiny to huge", .build = tiny_to_huge});
  return cases;
}

}  // namespace vkgpt::check
