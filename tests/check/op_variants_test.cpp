// The ops of the architectures beyond GPT-2, checked like those in finite_difference_test.cpp.

#include <cmath>

#include <gtest/gtest.h>

#include "vkgpt/check/definitions.hpp"

#include "check/compare.hpp"
#include "check/finite_difference.hpp"

namespace vkgpt::check {
namespace {

const Vector kPoints{-6.0, -3.0, -1.0, -0.1, 0.2, 1.0, 2.5, 6.0};

TEST(ReferenceGradient, Activations) {
  Vector x = kPoints;
  const Vector dout = random_doubles(x.size(), 1, 2.0F);
  EXPECT_NEAR(gelu_erf_forward(x)[5], 0.8413447460685429, 1e-12);  // torch gelu(1)
  expect_gradient(x, gelu_erf_backward(dout, x), [&] { return weighted_sum(dout, gelu_erf_forward(x)); });
  EXPECT_EQ(relu_squared_forward(x)[6], 6.25);
  EXPECT_EQ(relu_squared_forward(x)[1], 0.0);
  expect_gradient(x, relu_squared_backward(dout, x),
                  [&] { return weighted_sum(dout, relu_squared_forward(x)); });
}

TEST(ReferenceGradient, Swiglu) {
  constexpr std::size_t kRows = 2, F = 4;
  Vector x = random_doubles(kRows * 2 * F, 1, 4.0F);
  const Vector dout = random_doubles(kRows * F, 2, 2.0F);
  x[F + 1] = 2.0;  // row 0: gate 1 is x[1], what it gates x[F + 1]
  x[1] = 1.0;
  EXPECT_NEAR(swiglu_forward(x, kRows, F)[1], 2.0 * 0.7310585786300049, 1e-12);  // 2 silu(1)
  expect_gradient(x, swiglu_backward(dout, x, kRows, F),
                  [&] { return weighted_sum(dout, swiglu_forward(x, kRows, F)); });
}

TEST(ReferenceGradient, Softcap) {
  Vector x = kPoints;
  const Vector dout = random_doubles(x.size(), 1, 2.0F);
  EXPECT_NEAR(softcap_forward(x, 2.0)[5], 2.0 * std::tanh(0.5), 1e-15);
  EXPECT_EQ(softcap_forward(x, 0.0), x);
  expect_gradient(x, softcap_backward(dout, x, 2.0),
                  [&] { return weighted_sum(dout, softcap_forward(x, 2.0)); });
}

TEST(ReferenceGradient, ShapedCrossEntropy) {
  constexpr std::size_t V = 5, Vp = 8;
  const LossShaping shaping{.softcap = 3.0, .label_smoothing = 0.1, .z_loss = 0.02};
  const std::vector<std::int32_t> targets{2, -1, 4, 0};
  Vector logits = random_doubles(targets.size() * Vp, 1, 4.0F);
  const Vector dlogits = cross_entropy_backward(logits, targets, V, Vp, 2.5 / 3.0, shaping);
  expect_gradient(logits, dlogits,
                  [&] { return 2.5 * cross_entropy_forward(logits, targets, V, Vp, shaping).mean_loss; });
  for (std::size_t n = 0; n < targets.size(); ++n)
    for (std::size_t v = V; v < Vp; ++v) EXPECT_EQ(dlogits[n * Vp + v], 0.0);

  // Equal logits: the smoothed loss is log V too, and so is lse when they are 0.
  logits.assign(logits.size(), 0.0);
  const double log_v = std::log(5.0);
  EXPECT_NEAR(cross_entropy_forward(logits, targets, V, Vp, shaping).mean_loss, log_v + 0.02 * log_v * log_v,
              1e-14);
}

}  // namespace
}  // namespace vkgpt::check
