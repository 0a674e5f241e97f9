#include "vkgpt/ops/softcap.hpp"

#include <cmath>

#include "vkgpt/check/definitions.hpp"
#include "vkgpt/check/op_table.hpp"
#include "vkgpt/core/format.hpp"

namespace vkgpt::check {

Vector softcap_forward(View x, double cap) {
  return map(x, [=](double v) { return cap == 0.0 ? v : cap * std::tanh(v / cap); });
}

Vector softcap_backward(View dout, View x, double cap) {
  return map(dout, x, [=](double d, double v) {
    const double t = cap == 0.0 ? 0.0 : std::tanh(v / cap);
    return d * (1.0 - t * t);
  });
}

namespace {

/// To f32 and to the type of x.
void capped(Trial& t, const Operand& x, DType dtype, double cap) {
  const plan::Tensor y = t.output(x.tensor.shape), z = t.output(x.tensor.shape, dtype);
  ops::softcap_forward(t.builder(), x, y, cap);
  ops::softcap_forward(t.builder(), x, z, cap);
  if (t.is_timed()) return;
  t.expect("y", y, softcap_forward(x, cap), kFp32Nmse);
  t.expect("y in the type of x", z, softcap_forward(x, cap), rounding_bound(dtype));
}

void tiny_to_huge(Trial& t) {
  std::vector<float> x{0.0F, 3e38F, 1e10F};
  for (int i = 0; i < 1157; ++i) x.push_back(1e-30F * std::pow(1.07F, static_cast<float>(i)));  // up to 1e4
  for (std::size_t i = x.size(); i-- > 0;) x.push_back(-x[i]);
  const Operand in = t.given({static_cast<std::int64_t>(x.size())}, x);
  const plan::Tensor y = t.output(in.tensor.shape);
  ops::softcap_forward(t.builder(), in, y, 50);
  // Vulkan lets exp(-2a) be wrong by 3 + 4a ULP: at a = 1/4, where 1 - exp(-2a) cancels the most, that is
  // 8e-7 of the result; each of two divisions may add 2.5 ULP.
  t.expect_near("y", y, softcap_forward(in, 50), 1.5e-6);
}

}  // namespace

std::vector<Case> softcap_cases() {
  std::vector<Case> cases;
  for (const float scale : {0.01F, 200.0F}) {
    append(cases,
           elementwise_cases(vkgpt::format("up to {}", scale), [=](Trial& t, DType dtype, std::int64_t n) {
             capped(t, t.random({n}, 1, scale, dtype), dtype, 30);
           }));
  }
  cases.push_back({.variant = "f32 tiny to huge", .build = tiny_to_huge});
  return cases;
}

}  // namespace vkgpt::check
