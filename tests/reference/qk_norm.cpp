#include "reference/qk_norm.hpp"

#include <cmath>

#include "vkgpt/core/check.hpp"

namespace vkgpt::reference {
namespace {

double rstd_of(const double* x, std::size_t n, double eps) {
  double squares = 0.0;
  for (std::size_t i = 0; i < n; ++i) squares += x[i] * x[i];
  return 1.0 / std::sqrt(squares / static_cast<double>(n) + eps);
}

void check_shape(View qkv, View q_weight, View k_weight, const AttentionShape& s) {
  VKGPT_CHECK(qkv.size() == s.B * s.T * s.qkv_width());
  VKGPT_CHECK(q_weight.size() == s.HS() && k_weight.size() == s.HS());
}

}  // namespace

QkNorm qk_norm_forward(View qkv, View q_weight, View k_weight, const AttentionShape& s, double eps) {
  check_shape(qkv, q_weight, k_weight, s);
  QkNorm result{.out = Vector(qkv.begin(), qkv.end()), .rstd = {}};
  for (std::size_t row = 0; row < s.B * s.T; ++row) {
    for (std::size_t head = 0; head < s.NH + s.kv_heads(); ++head) {
      const View weight = head < s.NH ? q_weight : k_weight;
      double* x = &result.out[row * s.qkv_width() + head * s.HS()];
      const double rstd = rstd_of(x, s.HS(), eps);
      for (std::size_t i = 0; i < s.HS(); ++i) x[i] *= rstd * weight[i];
      result.rstd.push_back(rstd);
    }
  }
  return result;
}

QkNormGradients qk_norm_backward(View dout, View qkv, View q_weight, View k_weight, const AttentionShape& s,
                                 double eps) {
  check_shape(qkv, q_weight, k_weight, s);
  VKGPT_CHECK(dout.size() == qkv.size());
  const std::size_t HS = s.HS();
  QkNormGradients result{
      .dqkv = Vector(dout.begin(), dout.end()), .dq_weight = Vector(HS, 0.0), .dk_weight = Vector(HS, 0.0)};
  for (std::size_t row = 0; row < s.B * s.T; ++row) {
    for (std::size_t head = 0; head < s.NH + s.kv_heads(); ++head) {
      const bool is_query = head < s.NH;
      const View weight = is_query ? q_weight : k_weight;
      Vector& dweight = is_query ? result.dq_weight : result.dk_weight;
      const std::size_t at = row * s.qkv_width() + head * HS;
      const double* x = &qkv[at];
      const double* dy = &dout[at];
      const double rstd = rstd_of(x, HS, eps);
      double projection = 0.0;  // mean of dy * weight * xhat
      for (std::size_t i = 0; i < HS; ++i) projection += dy[i] * weight[i] * x[i] * rstd;
      projection /= static_cast<double>(HS);
      for (std::size_t i = 0; i < HS; ++i) {
        result.dqkv[at + i] = rstd * (dy[i] * weight[i] - x[i] * rstd * projection);
        dweight[i] += dy[i] * x[i] * rstd;
      }
    }
  }
  return result;
}

}  // namespace vkgpt::reference
