#include "reference/attention.hpp"

#include <algorithm>
#include <cmath>

#include "vkgpt/core/check.hpp"

namespace vkgpt::reference {
namespace {

/// Where the HS values of one head at one position start inside qkv (B, T, 3C); part 0 is q, 1 is k, 2 is v.
std::size_t qkv_offset(const AttentionShape& s, std::size_t b, std::size_t t, std::size_t part,
                       std::size_t head) {
  return (b * s.T + t) * 3 * s.C + part * s.C + head * s.HS();
}

double dot(const double* a, const double* b, std::size_t n) {
  double sum = 0.0;
  for (std::size_t i = 0; i < n; ++i) sum += a[i] * b[i];
  return sum;
}

struct Row {
  Vector probabilities;  // (t + 1)
  double lse = 0.0;
};

/// The attention of query t over keys 0..t.
Row attend(View qkv, const AttentionShape& s, std::size_t b, std::size_t head, std::size_t t) {
  const double scale = 1.0 / std::sqrt(static_cast<double>(s.HS()));
  const double* q = &qkv[qkv_offset(s, b, t, 0, head)];
  Row row{.probabilities = Vector(t + 1)};
  for (std::size_t j = 0; j <= t; ++j)
    row.probabilities[j] = scale * dot(q, &qkv[qkv_offset(s, b, j, 1, head)], s.HS());
  const double largest = *std::ranges::max_element(row.probabilities);
  double sum = 0.0;
  for (const double score : row.probabilities) sum += std::exp(score - largest);
  row.lse = largest + std::log(sum);
  for (double& value : row.probabilities) value = std::exp(value - row.lse);
  return row;
}

void check_shape(const AttentionShape& s, View qkv) {
  VKGPT_CHECK(s.NH > 0 && s.C % s.NH == 0, "C = {}, NH = {}", s.C, s.NH);
  VKGPT_CHECK(qkv.size() == s.B * s.T * 3 * s.C);
}

}  // namespace

Attention attention_forward(View qkv, const AttentionShape& s) {
  check_shape(s, qkv);
  Attention result{.out = Vector(s.B * s.T * s.C, 0.0), .lse = Vector(s.B * s.NH * s.T)};
  for (std::size_t b = 0; b < s.B; ++b) {
    for (std::size_t head = 0; head < s.NH; ++head) {
      for (std::size_t t = 0; t < s.T; ++t) {
        const Row row = attend(qkv, s, b, head, t);
        double* out = &result.out[(b * s.T + t) * s.C + head * s.HS()];
        for (std::size_t j = 0; j <= t; ++j) {
          const double* v = &qkv[qkv_offset(s, b, j, 2, head)];
          for (std::size_t i = 0; i < s.HS(); ++i) out[i] += row.probabilities[j] * v[i];
        }
        result.lse[(b * s.NH + head) * s.T + t] = row.lse;
      }
    }
  }
  return result;
}

Vector attention_backward(View dout, View qkv, const AttentionShape& s) {
  check_shape(s, qkv);
  VKGPT_CHECK(dout.size() == s.B * s.T * s.C);
  const double scale = 1.0 / std::sqrt(static_cast<double>(s.HS()));
  Vector dqkv(qkv.size(), 0.0);
  for (std::size_t b = 0; b < s.B; ++b) {
    for (std::size_t head = 0; head < s.NH; ++head) {
      for (std::size_t t = 0; t < s.T; ++t) {
        const Vector p = attend(qkv, s, b, head, t).probabilities;
        const double* d = &dout[(b * s.T + t) * s.C + head * s.HS()];
        Vector dp(t + 1);
        double row_sum = 0.0;
        for (std::size_t j = 0; j <= t; ++j) {
          dp[j] = dot(d, &qkv[qkv_offset(s, b, j, 2, head)], s.HS());
          row_sum += p[j] * dp[j];
        }
        const std::size_t q = qkv_offset(s, b, t, 0, head);
        for (std::size_t j = 0; j <= t; ++j) {
          const double dscore = scale * p[j] * (dp[j] - row_sum);
          const std::size_t k = qkv_offset(s, b, j, 1, head);
          const std::size_t v = qkv_offset(s, b, j, 2, head);
          for (std::size_t i = 0; i < s.HS(); ++i) {
            dqkv[q + i] += dscore * qkv[k + i];
            dqkv[k + i] += dscore * qkv[q + i];
            dqkv[v + i] += p[j] * d[i];
          }
        }
      }
    }
  }
  return dqkv;
}

Vector attention_row_sums(View dout, View out, const AttentionShape& s) {
  VKGPT_CHECK(dout.size() == s.B * s.T * s.C && out.size() == dout.size());
  Vector sums(s.B * s.NH * s.T);
  for (std::size_t b = 0; b < s.B; ++b) {
    for (std::size_t head = 0; head < s.NH; ++head) {
      for (std::size_t t = 0; t < s.T; ++t) {
        const std::size_t i = (b * s.T + t) * s.C + head * s.HS();
        sums[(b * s.NH + head) * s.T + t] = dot(&dout[i], &out[i], s.HS());
      }
    }
  }
  return sums;
}

}  // namespace vkgpt::reference
