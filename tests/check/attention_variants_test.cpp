#include <cmath>

#include <gtest/gtest.h>

#include "vkgpt/check/definitions.hpp"

#include "check/compare.hpp"
#include "check/finite_difference.hpp"

namespace vkgpt::check {
namespace {

constexpr AttentionShape kGrouped{.B = 2, .T = 5, .C = 16, .NH = 4, .NKV = 2, .window = 3};

TEST(ReferenceGradient, AttentionOfGroupedQueriesInAWindowWithDroppedProbabilities) {
  const ProbabilityMask mask = [](std::size_t row, std::size_t key) {
    return (row * 7 + key * 3) % 5 == 0 ? 0.0 : 1.25;
  };
  for (const std::size_t NKV : {1, 2, 4}) {
    AttentionShape shape = kGrouped;
    shape.NKV = NKV;
    Vector qkv = random_doubles(shape.B * shape.T * shape.qkv_width(), 1, 2.0F);
    const Vector dout = random_doubles(shape.B * shape.T * shape.C, 2, 2.0F);
    expect_gradient(qkv, attention_backward(dout, qkv, shape, mask),
                    [&] { return weighted_sum(dout, attention_forward(qkv, shape, mask).out); });
  }
}

TEST(ReferenceAttention, RepeatedKeyAndValueHeadsGiveTheSameAsGroups) {
  const AttentionShape& grouped = kGrouped;
  const AttentionShape full{.B = 2, .T = 5, .C = 16, .NH = 4, .NKV = 4, .window = 3};
  const std::size_t HS = grouped.HS();
  const Vector qkv = random_doubles(grouped.B * grouped.T * grouped.qkv_width(), 3);
  Vector repeated;
  for (std::size_t row = 0; row < grouped.B * grouped.T; ++row) {
    const auto x = qkv.begin() + static_cast<std::ptrdiff_t>(row * grouped.qkv_width());
    const auto append = [&](std::size_t head) {
      const auto from = x + static_cast<std::ptrdiff_t>(head * HS);
      repeated.insert(repeated.end(), from, from + static_cast<std::ptrdiff_t>(HS));
    };
    for (const std::size_t head : {0, 1, 2, 3, 4, 4, 5, 5, 6, 6, 7, 7}) append(head);
  }
  EXPECT_EQ(attention_forward(qkv, grouped).out, attention_forward(repeated, full).out);
}

TEST(ReferenceAttention, DocumentsOfASequenceAreSequencesOfTheirOwn) {
  constexpr std::int32_t kPositions[] = {0, 1, 0, 1, 2, 0, 0, 1, 2, 3};
  AttentionShape packed = kGrouped;
  packed.positions = kPositions;
  Vector qkv = random_doubles(packed.B * packed.T * packed.qkv_width(), 5);
  const Vector dout = random_doubles(packed.B * packed.T * packed.C, 6);
  const Attention all = attention_forward(qkv, packed);
  AttentionShape alone = kGrouped;
  alone.B = 1, alone.T = 3;  // the second document of the first sequence
  const View own = View(qkv).subspan(2 * packed.qkv_width(), 3 * packed.qkv_width());
  const Vector out = attention_forward(own, alone).out;
  for (std::size_t i = 0; i < out.size(); ++i) EXPECT_EQ(all.out[2 * packed.C + i], out[i]);
  expect_gradient(qkv, attention_backward(dout, qkv, packed),
                  [&] { return weighted_sum(dout, attention_forward(qkv, packed).out); });
}

TEST(ReferenceAttention, AWindowHidesWhatLiesBeforeIt) {
  const AttentionShape& shape = kGrouped;
  Vector qkv = random_doubles(shape.T * shape.B * shape.qkv_width(), 4);
  const Attention before = attention_forward(qkv, shape);
  for (std::size_t i = 0; i < shape.qkv_width(); ++i) qkv[i] += 1.0;  // position 0
  const Attention after = attention_forward(qkv, shape);
  for (std::size_t t = 0; t < shape.T; ++t) {
    const bool sees = t < 3;
    EXPECT_EQ(before.out[t * shape.C] != after.out[t * shape.C], sees) << t;
  }
}

TEST(ReferenceRope, RotatesByThePositionAndKeepsScoresOfEqualDistance) {
  const AttentionShape shape{.B = 1, .T = 3, .C = 4, .NH = 1};
  Vector qkv(3 * 12, 0.0);
  for (std::size_t t = 0; t < 3; ++t) {
    const Vector row{1.0, 2.0, -1.0, 0.5, 0.3, -2.0, 0.7, 1.0, 5.0, 6.0, 7.0, 8.0};
    std::copy(row.begin(), row.end(), qkv.begin() + static_cast<std::ptrdiff_t>(12 * t));
  }
  const Vector y = rope_forward(qkv, shape, {.theta = 100.0});
  for (std::size_t i = 0; i < 12; ++i) EXPECT_EQ(y[i], qkv[i]);
  EXPECT_NEAR(y[12], std::cos(1.0) + std::sin(1.0), 1e-15);
  EXPECT_NEAR(y[14], -std::cos(1.0) + std::sin(1.0), 1e-15);
  EXPECT_NEAR(y[25], 2.0 * std::cos(0.2) - 0.5 * std::sin(0.2), 1e-15);
  EXPECT_EQ(y[32], 5.0);
  const auto score = [&](std::size_t t, std::size_t key) {
    double sum = 0.0;
    for (std::size_t i = 0; i < 4; ++i) sum += y[12 * t + i] * y[12 * key + 4 + i];
    return sum;
  };
  EXPECT_NEAR(score(1, 0), score(2, 1), 1e-14);
  EXPECT_GT(std::abs(score(1, 0) - score(2, 0)), 1e-2);
}

TEST(ReferenceRope, StretchesLongWavelengthsOnly) {
  const AttentionShape shape{.B = 1, .T = 2, .C = 4, .NH = 1};
  const Vector qkv(2 * 12, 1.0);
  const Rope rope{.theta = 1e6, .factor = 8, .low = 1, .high = 4, .original_context = 100};
  const Vector plain = rope_forward(qkv, shape, {.theta = 1e6}), y = rope_forward(qkv, shape, rope);
  EXPECT_EQ(y[12], plain[12]);                                         // a wavelength of 2 pi
  EXPECT_NEAR(y[13], std::cos(1e-3 / 8) - std::sin(1e-3 / 8), 1e-12);  // one of 2000 pi
  EXPECT_NE(y[13], plain[13]);
}

TEST(ReferenceGradient, Rope) {
  const AttentionShape& shape = kGrouped;
  Vector qkv = random_doubles(shape.B * shape.T * shape.qkv_width(), 5);
  const Vector dout = random_doubles(qkv.size(), 6, 2.0F);
  expect_gradient(qkv, rope_backward(dout, shape, {.theta = 50.0}),
                  [&] { return weighted_sum(dout, rope_forward(qkv, shape, {.theta = 50.0})); });
}

TEST(ReferenceGradient, QkNorm) {
  const AttentionShape& shape = kGrouped;
  constexpr double kEps = 1e-2;
  Vector qkv = random_doubles(shape.B * shape.T * shape.qkv_width(), 7);
  Vector q_weight = random_doubles(shape.HS(), 8), k_weight = random_doubles(shape.HS(), 9);
  const Vector dout = random_doubles(qkv.size(), 10, 2.0F);
  const QkNormGradients gradients = qk_norm_backward(dout, qkv, q_weight, k_weight, shape, kEps);
  const auto loss = [&] {
    return weighted_sum(dout, qk_norm_forward(qkv, q_weight, k_weight, shape, kEps).out);
  };
  expect_gradient(qkv, gradients.dqkv, loss);
  expect_gradient(q_weight, gradients.dq_weight, loss);
  expect_gradient(k_weight, gradients.dk_weight, loss);
}

}  // namespace
}  // namespace vkgpt::check
