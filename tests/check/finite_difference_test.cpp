#include "check/finite_difference.hpp"

#include <cmath>

#include <gtest/gtest-spi.h>
#include <gtest/gtest.h>

#include "vkgpt/check/definitions.hpp"
#include "vkgpt/check/update_rules.hpp"

#include "check/compare.hpp"

namespace vkgpt::check {
namespace {

TEST(ReferenceGradient, CheckNoticesAWrongGradient) {
  Vector x{0.5, -1.0};
  const auto loss = [&] { return x[0] * x[0] + 3.0 * x[1]; };
  expect_gradient(x, Vector{1.0, 3.0}, loss);
  EXPECT_NONFATAL_FAILURE(expect_gradient(x, Vector{1.0, 3.01}, loss), "gradient[1]");
  EXPECT_NONFATAL_FAILURE(expect_gradient(x, Vector{NAN, 3.0}, loss), "gradient[0]");
}

TEST(ReferenceMatmul, TranspositionsAgree) {
  constexpr std::size_t M = 3, N = 4, K = 5;
  const Vector a = random_doubles(M * K, 1), b = random_doubles(K * N, 2);
  Vector at(K * M), bt(N * K);
  for (std::size_t m = 0; m < M; ++m)
    for (std::size_t k = 0; k < K; ++k) at[k * M + m] = a[m * K + k];
  for (std::size_t k = 0; k < K; ++k)
    for (std::size_t n = 0; n < N; ++n) bt[n * K + k] = b[k * N + n];
  const Vector c = matmul_nn(a, b, M, N, K);
  double c12 = 0.0;
  for (std::size_t k = 0; k < K; ++k) c12 += a[1 * K + k] * b[k * N + 2];
  EXPECT_NEAR(c[1 * N + 2], c12, 1e-15);
  EXPECT_TRUE(expect_close(to_float(matmul_nt(a, bt, M, N, K)), c, 1e-13));
  EXPECT_TRUE(expect_close(to_float(matmul_tn(at, b, M, N, K)), c, 1e-13));
}

TEST(ReferenceGradient, LinearWithAndWithoutGelu) {
  constexpr std::size_t M = 3, N = 5, K = 4;
  Vector x = random_doubles(M * K, 1), weight = random_doubles(N * K, 2), bias = random_doubles(N, 3);
  const Vector dout = random_doubles(M * N, 4, 2.0F);

  const LinearGradients plain = linear_backward(dout, x, weight, M, N, K);
  const auto loss = [&] { return weighted_sum(dout, linear_forward(x, weight, bias, M, N, K)); };
  expect_gradient(x, plain.dx, loss);
  expect_gradient(weight, plain.dweight, loss);
  expect_gradient(bias, plain.dbias, loss);

  const Vector pre = linear_gelu_forward(x, weight, bias, M, N, K).pre;
  const LinearGradients gelu = linear_backward(gelu_backward(dout, pre), x, weight, M, N, K);
  const auto gelu_loss = [&] {
    return weighted_sum(dout, linear_gelu_forward(x, weight, bias, M, N, K).out);
  };
  expect_gradient(x, gelu.dx, gelu_loss);
  expect_gradient(weight, gelu.dweight, gelu_loss);
  expect_gradient(bias, gelu.dbias, gelu_loss);
}

TEST(ReferenceGradient, Gelu) {
  Vector x{-6.0, -3.0, -1.0, -0.1, 0.0, 0.2, 1.0, 2.5, 6.0};
  const Vector dout = random_doubles(x.size(), 1, 2.0F);
  EXPECT_NEAR(gelu_forward(x)[6], 0.8411919906082768, 1e-12);  // torch gelu(1, approximate="tanh")
  expect_gradient(x, gelu_backward(dout, x), [&] { return weighted_sum(dout, gelu_forward(x)); });
}

TEST(ReferenceGradient, Norms) {
  constexpr std::size_t C = 7;
  constexpr double kEps = 1e-2;
  for (const ops::NormKind kind :
       {ops::NormKind::kLayerNorm, ops::NormKind::kRmsNorm, ops::NormKind::kRmsNorm1p}) {
    Vector x = random_doubles(3 * C, 1, 3.0F), weight = random_doubles(C, 2), bias = random_doubles(C, 3);
    const Vector dout = random_doubles(3 * C, 4, 2.0F);
    const NormGradients gradients =
        norm_backward(kind, dout, x, weight, norm_forward(kind, x, weight, bias, kEps));
    const auto loss = [&] { return weighted_sum(dout, norm_forward(kind, x, weight, bias, kEps).y); };
    expect_gradient(x, gradients.dx, loss);
    expect_gradient(weight, gradients.dweight, loss);
    expect_gradient(bias, gradients.dbias, loss);
    EXPECT_EQ(norm_forward(kind, x, weight, {}).y, norm_forward(kind, x, weight, Vector(C, 0.0)).y);
  }
  const Norm rms = norm_forward(ops::NormKind::kRmsNorm, Vector{3.0, 4.0}, Vector{1.0, 2.0}, {}, 0.0);
  EXPECT_NEAR(rms.y[0], 3.0 / std::sqrt(12.5), 1e-15);
  EXPECT_NEAR(rms.y[1], 8.0 / std::sqrt(12.5), 1e-15);
}

TEST(ReferenceGradient, EmbeddingSumsRepeatedTokens) {
  constexpr std::size_t B = 2, T = 3, C = 4, kRows = 5, kPositions = 4;
  const std::vector<std::int32_t> tokens{1, 4, 1, 0, 1, 4};
  Vector wte = random_doubles(kRows * C, 1), wpe = random_doubles(kPositions * C, 2);
  const Vector dout = random_doubles(B * T * C, 3, 2.0F);
  const EmbeddingGradients gradients = embedding_backward(dout, tokens, B, T, C, kRows, kPositions);
  const auto loss = [&] { return weighted_sum(dout, embedding_forward(tokens, wte, wpe, B, T, C)); };
  expect_gradient(wte, gradients.dwte, loss);
  expect_gradient(wpe, gradients.dwpe, loss);
}

TEST(ReferenceGradient, Attention) {
  const AttentionShape shape{.B = 2, .T = 5, .C = 6, .NH = 2};
  Vector qkv = random_doubles(shape.B * shape.T * 3 * shape.C, 1, 2.0F);
  const Vector dout = random_doubles(shape.B * shape.T * shape.C, 2, 2.0F);
  expect_gradient(qkv, attention_backward(dout, qkv, shape),
                  [&] { return weighted_sum(dout, attention_forward(qkv, shape).out); });
}

TEST(ReferenceAttention, IsCausalAndItsFirstRowIsV) {
  const AttentionShape shape{.B = 1, .T = 4, .C = 6, .NH = 3};
  Vector qkv = random_doubles(shape.T * 3 * shape.C, 3);
  const Attention before = attention_forward(qkv, shape);
  for (std::size_t c = 0; c < shape.C; ++c) EXPECT_NEAR(before.out[c], qkv[2 * shape.C + c], 1e-12);
  const double score = (qkv[0] * qkv[6] + qkv[1] * qkv[7]) / std::sqrt(2.0);
  EXPECT_NEAR(before.lse[0], score, 1e-12);
  for (std::size_t i = 3 * 3 * shape.C; i < qkv.size(); ++i) qkv[i] += 1.0;
  const Attention after = attention_forward(qkv, shape);
  for (std::size_t i = 0; i < 3 * shape.C; ++i) EXPECT_EQ(before.out[i], after.out[i]);
}

TEST(ReferenceGradient, CrossEntropyWithPaddingAndIgnoredTargets) {
  constexpr std::size_t V = 5, Vp = 8;
  const std::vector<std::int32_t> targets{2, -1, 4, 0};
  Vector logits = random_doubles(targets.size() * Vp, 1, 4.0F);
  const CrossEntropy forward = cross_entropy_forward(logits, targets, V, Vp);
  EXPECT_EQ(forward.counted, 3U);
  EXPECT_EQ(forward.losses[1], 0.0);
  EXPECT_NEAR(forward.mean_loss, (forward.losses[0] + forward.losses[2] + forward.losses[3]) / 3.0, 1e-15);

  constexpr double kUpstream = 2.5;
  const Vector dlogits = cross_entropy_backward(logits, targets, V, Vp, kUpstream / 3.0);
  expect_gradient(logits, dlogits,
                  [&] { return kUpstream * cross_entropy_forward(logits, targets, V, Vp).mean_loss; });
  for (std::size_t n = 0; n < targets.size(); ++n)
    for (std::size_t v = V; v < Vp; ++v) EXPECT_EQ(dlogits[n * Vp + v], 0.0);

  logits.assign(logits.size(), 0.0);
  EXPECT_NEAR(cross_entropy_forward(logits, targets, V, Vp).mean_loss, std::log(5.0), 1e-15);
}

TEST(ReferenceOptimizer, ClipsByTheGlobalNorm) {
  const Vector a{3.0, 0.0}, b{-4.0};
  const std::vector<View> gradients{a, b};
  EXPECT_DOUBLE_EQ(global_norm(gradients), 5.0);
  EXPECT_DOUBLE_EQ(clip_scale(5.0, 1.0), 1.0 / (5.0 + 1e-6));
  EXPECT_EQ(clip_scale(0.5, 1.0), 1.0);
  EXPECT_EQ(clip_scale(5.0, 0.0), 1.0);
}

TEST(ReferenceOptimizer, FirstAdamWStepIsTheSignPlusTheDecay) {
  Vector weights{1.0, -2.0}, m(2, 0.0), v(2, 0.0);
  adamw_step(weights, Vector{0.5, -3.0}, m, v, 1, {.learning_rate = 0.1, .weight_decay = 0.5}, 0.25);
  EXPECT_NEAR(weights[0], 1.0 - 0.1 * (1.0 + 0.5 * 1.0), 1e-7);
  EXPECT_NEAR(weights[1], -2.0 - 0.1 * (-1.0 + 0.5 * -2.0), 1e-7);
  EXPECT_NEAR(m[0], 0.1 * 0.125, 1e-15);
  EXPECT_NEAR(v[1], 0.05 * 0.75 * 0.75, 1e-15);
}

TEST(ReferenceCompare, FailsOnNanSizeAndError) {
  const std::vector<double> expected{1.0, 2.0};
  EXPECT_TRUE(expect_close(std::vector<float>{1.0F, 2.0F}, expected));
  EXPECT_NONFATAL_FAILURE(expect_close(std::vector<float>{1.0F, 2.1F}, std::vector<double>{1.0, 2.0}),
                          "element 1");
  EXPECT_NONFATAL_FAILURE(expect_close(std::vector<float>{NAN, 2.0F}, std::vector<double>{1.0, 2.0}),
                          "not finite");
  EXPECT_NONFATAL_FAILURE(expect_close(std::vector<float>{1.0F}, std::vector<double>{1.0, 2.0}), "1 values");
  EXPECT_NONFATAL_FAILURE(expect_close(std::vector<float>{}, std::vector<double>{}), "0 values");
  EXPECT_DOUBLE_EQ(nmse(std::vector<float>{1.0F, 3.0F}, expected), 1.0 / 5.0);
  EXPECT_DOUBLE_EQ(max_abs(std::vector<float>{0.5F, 3.0F}, expected), 1.0);
  EXPECT_DOUBLE_EQ(max_rel(std::vector<float>{0.25F, 3.0F}, expected), 0.75);
}

TEST(ReferenceCompare, RandomValuesAreDeterministicAndSpread) {
  const std::vector<float> values = random_floats(1000, 7, 2.0F);
  EXPECT_EQ(values, random_floats(1000, 7, 2.0F));
  EXPECT_NE(values, random_floats(1000, 8, 2.0F));
  double mean = 0.0, power = 0.0;
  for (const float value : values) {
    EXPECT_LE(std::abs(value), 2.0F);
    mean += value / 1000.0;
    power += value * value / 1000.0;
  }
  EXPECT_NEAR(mean, 0.0, 0.15);
  EXPECT_NEAR(power, 4.0 / 3.0, 0.2);
}

}  // namespace
}  // namespace vkgpt::check
