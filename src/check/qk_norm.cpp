#include "vkgpt/ops/attention/qk_norm.hpp"

#include <algorithm>
#include <cmath>

#include "vkgpt/check/definitions.hpp"
#include "vkgpt/check/op_table.hpp"
#include "vkgpt/core/check.hpp"
#include "vkgpt/core/format.hpp"

namespace vkgpt::check {
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

namespace {

constexpr float kEps = 1e-3F;

void both_passes(Trial& t, DType dtype, std::int64_t rows, const AttentionShape& s, bool one_plus,
                 bool stores) {
  const auto HS = static_cast<std::int64_t>(s.HS()), NH = static_cast<std::int64_t>(s.NH),
             NKV = static_cast<std::int64_t>(s.NKV);
  const Shape all{rows, static_cast<std::int64_t>(s.qkv_width())};
  const Operand qkv = t.random(all, 1, 2.0F, dtype), dout = t.random(all, 2, 2.0F, dtype);
  const Operand q_weight = t.random({HS}, 3), k_weight = t.random({HS}, 4, 3.0F);
  const Operand dq_weight = t.sum_target({HS}, 5, stores), dk_weight = t.sum_target({HS}, 6, stores);
  const ops::QkNormForward forward{.qkv = qkv,
                                   .q_weight = q_weight,
                                   .k_weight = k_weight,
                                   .out = t.output(all, dtype),
                                   .rstd = t.output({rows, NH + NKV}),
                                   .n_head = NH,
                                   .n_kv_head = NKV,
                                   .eps = kEps,
                                   .one_plus = one_plus};
  const ops::QkNormBackward backward{.dout = dout,
                                     .qkv = qkv,
                                     .q_weight = q_weight,
                                     .k_weight = k_weight,
                                     .rstd = forward.rstd,
                                     .dqkv = t.output(all, dtype),
                                     .dq_weight = dq_weight,
                                     .dk_weight = dk_weight,
                                     .n_head = NH,
                                     .n_kv_head = NKV,
                                     .one_plus = one_plus};
  ops::qk_norm_forward(t.builder(), forward);
  ops::qk_norm_backward(t.builder(), backward);
  const auto factor = [&](View weight) {
    return map(weight, [&](double w) { return one_plus ? 1 + w : w; });
  };
  const Vector q_factor = factor(q_weight), k_factor = factor(k_weight);
  const QkNorm expected = qk_norm_forward(qkv, q_factor, k_factor, s, double{kEps});
  const QkNormGradients gradients = qk_norm_backward(dout, qkv, q_factor, k_factor, s, double{kEps});
  t.expect("out", forward.out, expected.out, rounding_bound(dtype));
  t.expect("rstd", forward.rstd, expected.rstd, kFp32Nmse);
  t.expect("dqkv", backward.dqkv, gradients.dqkv, rounding_bound(dtype));
  t.expect("dq_weight", dq_weight, add(gradients.dq_weight, dq_weight), kFp32Nmse);
  t.expect("dk_weight", dk_weight, add(gradients.dk_weight, dk_weight), kFp32Nmse);
}

}  // namespace

std::vector<Case> qk_norm_cases() {
  std::vector<Case> cases;
  for (const DType dtype : kFloatTypes) {
    for (const auto& [rows, NH, NKV, HS] :
         std::initializer_list<std::array<std::size_t, 4>>{{1, 1, 1, 4},
                                                           {7, 3, 1, 20},
                                                           {64, 4, 2, 32},
                                                           {262, 3, 3, 12},
                                                           {33, 2, 1, 128},
                                                           {19, 2, 1, 256}}) {
      const AttentionShape s{.B = 1, .T = rows, .C = NH * HS, .NH = NH, .NKV = NKV};
      const bool one_plus = HS == 256, stores = rows % 2 == 1;
      cases.push_back(
          {.variant = vkgpt::format("{} {} rows heads {} of {} of {}{}{}", dtype_name(dtype), rows, NH, NKV,
                                    HS, one_plus ? " one plus" : "", stores ? " stored" : ""),
           .dtype = dtype,
           .quick = HS == 32,
           .devices = folded_devices(128 * s.qkv_width() * sizeof(float)),
           .build = [=](Trial& t) {
             both_passes(t, dtype, static_cast<std::int64_t>(s.T), s, one_plus, stores);
           }});
    }
  }
  return cases;
}

}  // namespace vkgpt::check
