#include <algorithm>
#include <cmath>

#include "vkgpt/check/definitions.hpp"
#include "vkgpt/core/check.hpp"

namespace vkgpt::check {
namespace {

double dot(const double* a, const double* b, std::size_t n) {
  double sum = 0.0;
  for (std::size_t i = 0; i < n; ++i) sum += a[i] * b[i];
  return sum;
}

/// Where the HS values of query head `head`, or of the key or value head that it uses, start in qkv.
struct Offsets {
  const AttentionShape& s;
  std::size_t b, head;

  std::size_t q(std::size_t t) const { return row(t) + head * s.HS(); }
  std::size_t k(std::size_t t) const { return row(t) + (s.NH + s.kv_head(head)) * s.HS(); }
  std::size_t v(std::size_t t) const { return k(t) + s.kv_heads() * s.HS(); }

 private:
  std::size_t row(std::size_t t) const { return (b * s.T + t) * s.qkv_width(); }
};

struct Row {
  Vector probabilities;  // (t + 1), zero before the window
  double lse = 0.0;
};

/// The attention of query t over keys first_key(t)..t.
Row attend(View qkv, const Offsets& at, std::size_t t) {
  const AttentionShape& s = at.s;
  const double scale = 1.0 / std::sqrt(static_cast<double>(s.HS()));
  const std::size_t first = s.first_key(at.b, t);
  Row row{.probabilities = Vector(t + 1, 0.0)};
  Vector& p = row.probabilities;
  for (std::size_t j = first; j <= t; ++j) p[j] = scale * dot(&qkv[at.q(t)], &qkv[at.k(j)], s.HS());
  const double largest = *std::max_element(p.begin() + static_cast<std::ptrdiff_t>(first), p.end());
  double sum = 0.0;
  for (std::size_t j = first; j <= t; ++j) sum += std::exp(p[j] - largest);
  row.lse = largest + std::log(sum);
  for (std::size_t j = first; j <= t; ++j) p[j] = std::exp(p[j] - row.lse);
  return row;
}

double mask_at(const ProbabilityMask& mask, const Offsets& at, std::size_t t, std::size_t key) {
  return mask ? mask((at.b * at.s.NH + at.head) * at.s.T + t, key) : 1.0;
}

void check_shape(const AttentionShape& s, View qkv) {
  VKGPT_CHECK(s.NH > 0 && s.C % s.NH == 0 && s.NH % s.kv_heads() == 0, "C = {}, NH = {}, NKV = {}", s.C, s.NH,
              s.NKV);
  VKGPT_CHECK(qkv.size() == s.B * s.T * s.qkv_width());
}

}  // namespace

Attention attention_forward(View qkv, const AttentionShape& s, const ProbabilityMask& mask) {
  check_shape(s, qkv);
  Attention result{.out = Vector(s.B * s.T * s.C, 0.0), .lse = Vector(s.B * s.NH * s.T)};
  for (std::size_t b = 0; b < s.B; ++b) {
    for (std::size_t head = 0; head < s.NH; ++head) {
      const Offsets at{s, b, head};
      for (std::size_t t = 0; t < s.T; ++t) {
        const Row row = attend(qkv, at, t);
        double* out = &result.out[(b * s.T + t) * s.C + head * s.HS()];
        for (std::size_t j = s.first_key(at.b, t); j <= t; ++j) {
          const double p = mask_at(mask, at, t, j) * row.probabilities[j];
          for (std::size_t i = 0; i < s.HS(); ++i) out[i] += p * qkv[at.v(j) + i];
        }
        result.lse[(b * s.NH + head) * s.T + t] = row.lse;
      }
    }
  }
  return result;
}

Vector attention_backward(View dout, View qkv, const AttentionShape& s, const ProbabilityMask& mask) {
  check_shape(s, qkv);
  VKGPT_CHECK(dout.size() == s.B * s.T * s.C);
  const double scale = 1.0 / std::sqrt(static_cast<double>(s.HS()));
  Vector dqkv(qkv.size(), 0.0);
  for (std::size_t b = 0; b < s.B; ++b) {
    for (std::size_t head = 0; head < s.NH; ++head) {
      const Offsets at{s, b, head};
      for (std::size_t t = 0; t < s.T; ++t) {
        const Vector p = attend(qkv, at, t).probabilities;
        const double* d = &dout[(b * s.T + t) * s.C + head * s.HS()];
        Vector dp(t + 1);
        double row_sum = 0.0;
        for (std::size_t j = s.first_key(at.b, t); j <= t; ++j) {
          dp[j] = mask_at(mask, at, t, j) * dot(d, &qkv[at.v(j)], s.HS());
          row_sum += p[j] * dp[j];
        }
        for (std::size_t j = s.first_key(at.b, t); j <= t; ++j) {
          const double dscore = scale * p[j] * (dp[j] - row_sum);
          const double weight = mask_at(mask, at, t, j) * p[j];
          for (std::size_t i = 0; i < s.HS(); ++i) {
            dqkv[at.q(t) + i] += dscore * qkv[at.k(j) + i];
            dqkv[at.k(j) + i] += dscore * qkv[at.q(t) + i];
            dqkv[at.v(j) + i] += weight * d[i];
          }
        }
      }
    }
  }
  return dqkv;
}

}  // namespace vkgpt::check
