#include "vkgpt/ops/norm.hpp"

#include <cmath>

#include "vkgpt/check/definitions.hpp"
#include "vkgpt/check/op_table.hpp"
#include "vkgpt/core/check.hpp"
#include "vkgpt/core/format.hpp"

namespace vkgpt::check {
namespace {

/// What a norm of `kind` multiplies by.
Vector factors_of(ops::NormKind kind, View weight) {
  return map(weight, [&](double w) { return kind == ops::NormKind::kRmsNorm1p ? 1.0 + w : w; });
}

}  // namespace

Norm norm_forward(ops::NormKind kind, View x, View weight, View bias, double eps) {
  const std::size_t C = weight.size(), rows = x.size() / C;
  VKGPT_CHECK(x.size() == rows * C && (bias.empty() || bias.size() == C));
  const auto width = static_cast<double>(C);
  const Vector factor = factors_of(kind, weight);
  Norm result{.y = Vector(rows * C), .mean = Vector(rows, 0.0), .rstd = Vector(rows)};
  for (std::size_t row = 0; row < rows; ++row) {
    const View in = x.subspan(row * C, C);
    double mean = 0.0;
    if (kind == ops::NormKind::kLayerNorm) {
      for (const double value : in) mean += value / width;
    }
    double variance = 0.0;
    for (const double value : in) variance += (value - mean) * (value - mean) / width;
    const double rstd = 1.0 / std::sqrt(variance + eps);
    for (std::size_t c = 0; c < C; ++c) {
      result.y[row * C + c] = (in[c] - mean) * rstd * factor[c] + (bias.empty() ? 0.0 : bias[c]);
    }
    result.mean[row] = mean;
    result.rstd[row] = rstd;
  }
  return result;
}

NormGradients norm_backward(ops::NormKind kind, View dout, View x, View weight, const Norm& forward) {
  const std::size_t C = weight.size(), rows = x.size() / C;
  VKGPT_CHECK(dout.size() == rows * C && x.size() == rows * C && forward.rstd.size() == rows);
  const auto width = static_cast<double>(C);
  const Vector factor = factors_of(kind, weight);
  NormGradients gradients{.dx = Vector(rows * C), .dweight = Vector(C, 0.0), .dbias = Vector(C, 0.0)};
  for (std::size_t row = 0; row < rows; ++row) {
    const double mean = forward.mean[row], rstd = forward.rstd[row];
    double mean_dnorm = 0.0;       // mean over c of dnorm = dout * weight; RMSNorm subtracts no mean
    double mean_dnorm_norm = 0.0;  // mean over c of dnorm * norm, where norm = (x - mean) * rstd
    for (std::size_t c = 0; c < C; ++c) {
      const std::size_t i = row * C + c;
      const double norm = (x[i] - mean) * rstd;
      if (kind == ops::NormKind::kLayerNorm) mean_dnorm += dout[i] * factor[c] / width;
      mean_dnorm_norm += dout[i] * factor[c] * norm / width;
      gradients.dweight[c] += dout[i] * norm;
      gradients.dbias[c] += dout[i];
    }
    for (std::size_t c = 0; c < C; ++c) {
      const std::size_t i = row * C + c;
      gradients.dx[i] = rstd * (dout[i] * factor[c] - mean_dnorm - (x[i] - mean) * rstd * mean_dnorm_norm);
    }
  }
  return gradients;
}

namespace {

struct NormVariant {
  ops::NormKind kind;
  DType dtype;
  std::int64_t rows, C;
  bool has_residual = false;  // forward: x + branch; backward: added to the stream's gradient
  bool has_bias = true;       // of a LayerNorm
  bool has_dweight = true, has_dbias = true;

  bool is_layernorm() const { return kind == ops::NormKind::kLayerNorm; }
  std::string text() const {
    constexpr const char* kKinds[] = {"layernorm", "rmsnorm", "rmsnorm1p"};
    return vkgpt::format("{} {} {}x{}{}{}{}{}", dtype_name(dtype), kKinds[static_cast<std::size_t>(kind)],
                         rows, C, has_residual ? " residual" : "", has_bias ? "" : " without bias",
                         has_dweight ? "" : " frozen weight", has_dbias ? "" : " frozen bias");
  }
};

/// Rows of one kind with an offset of their own, so that a variance around zero would cancel.
Operand rows_of(Trial& t, const NormVariant& v, std::uint64_t seed) {
  if (t.is_timed()) return t.random({v.rows, v.C}, seed, 2.0F, v.dtype);
  std::vector<float> x = random_floats(static_cast<std::size_t>(v.rows * v.C), seed, 2.0F);
  for (std::size_t i = 0; i < x.size(); ++i) {
    x[i] += static_cast<float>(static_cast<std::int64_t>(i) / v.C % 7) - 3.0F;
  }
  return t.given({v.rows, v.C}, x, v.dtype);
}

void both_passes(Trial& t, const NormVariant& v) {
  const Shape shape{v.rows, v.C};
  const Operand x = rows_of(t, v, 1), weight = t.random({v.C}, 2), bias = t.random({v.C}, 3);
  const Operand branch = rows_of(t, v, 4);
  ops::NormForward forward{
      .kind = v.kind, .x = x, .weight = weight, .y = t.output(shape, v.dtype), .rstd = t.output({v.rows})};
  if (v.is_layernorm()) forward.mean = t.output({v.rows});
  if (v.is_layernorm() && v.has_bias) forward.bias = bias;
  if (v.has_residual) forward.residual = ops::NormResidual{.branch = branch, .sum = t.output(shape, v.dtype)};
  t.pass(v.text() + " forward");
  ops::norm_forward(t.builder(), forward);

  const Operand dy = t.random(shape, 5, 3.0F, v.dtype), stream = t.random(shape, 6, 2.0F, v.dtype);
  const bool stores = !v.has_residual;
  const Operand dweight = t.sum_target({v.C}, 7, stores), dbias = t.sum_target({v.C}, 8, stores);
  ops::NormBackward backward{.kind = v.kind,
                             .dy = dy,
                             .x = v.has_residual ? forward.residual->sum : x,
                             .weight = weight,
                             .mean = forward.mean,
                             .rstd = forward.rstd,
                             .dx = v.has_residual ? stream.tensor : t.output(shape, v.dtype),
                             .accumulate = v.has_residual};
  if (v.has_dweight) backward.dweight = dweight;
  if (v.is_layernorm() && v.has_dbias) backward.dbias = dbias;
  t.pass(v.text() + " backward");
  ops::norm_backward(t.builder(), backward);
  if (t.is_timed()) return;

  const Vector r = v.has_residual ? to_double(rounded(to_float(add(x, branch)), v.dtype)) : x.values;
  const Norm norm =
      norm_forward(v.kind, r, weight, forward.bias ? bias.values : Vector{}, double{forward.eps});
  const NormGradients gradients = norm_backward(v.kind, dy, r, weight, norm);
  if (v.has_residual) t.expect("sum", forward.residual->sum, r, rounding_bound(v.dtype));
  t.expect("y", forward.y, norm.y, rounding_bound(v.dtype));
  if (forward.mean) t.expect("mean", *forward.mean, norm.mean, kFp32Nmse);
  t.expect("rstd", forward.rstd, norm.rstd, kFp32Nmse);
  t.expect("dx", backward.dx, v.has_residual ? add(gradients.dx, stream) : gradients.dx,
           rounding_bound(v.dtype));
  if (backward.dweight) t.expect("dweight", dweight, add(gradients.dweight, dweight), kFp32Nmse);
  if (backward.dbias) t.expect("dbias", dbias, add(gradients.dbias, dbias), kFp32Nmse);
}

}  // namespace

std::vector<Case> norm_cases() {
  struct Size {
    std::int64_t rows, C;
  };
  std::vector<NormVariant> variants;
  for (const DType dtype : kFloatTypes) {
    for (const auto& [rows, C] : {Size{1, 1},
                                  {70, 1},
                                  {5, 3},
                                  {130, 64},
                                  {67, 101},
                                  {16, 256},
                                  {131, 129},
                                  {9, 768},
                                  {66, 1025},
                                  {513, 100}}) {
      for (const bool has_residual : {false, true}) {
        // 16-bit elements differ in loads and stores alone.
        if (dtype == DType::kF32 || C == 101 || C == 256) {
          variants.push_back({ops::NormKind::kLayerNorm, dtype, rows, C, has_residual});
        }
        // The gradient of a row of one is nothing but rounding.
        if (C < 1025 && (C > 1 || has_residual))
          variants.push_back({ops::NormKind::kRmsNorm, dtype, rows, C, has_residual});
        if (C == 101 || C == 256)
          variants.push_back({ops::NormKind::kRmsNorm1p, dtype, rows, C, has_residual});
      }
    }
    for (const bool has_dweight : {false, true}) {
      for (const bool has_dbias : {false, true}) {
        variants.push_back(
            {ops::NormKind::kLayerNorm, dtype, 131, 100, false, false, has_dweight, has_dbias});
      }
    }
  }
  std::vector<Case> cases;
  for (const NormVariant& v : variants) {
    const bool is_small = v.C == 101 || v.C == 256;
    cases.push_back({.variant = v.text(),
                     .dtype = v.dtype,
                     .quick = is_small && v.has_residual == v.is_layernorm(),
                     .devices = folded_devices(static_cast<std::uint64_t>(128 * v.C) * sizeof(float)),
                     .build = [v](Trial& t) { both_passes(t, v); }});
    if (v.dtype == DType::kF32 && v.C == 256 && v.has_residual) {
      cases.back().timed = [v](Trial& t, const Workload& work) {
        NormVariant real = v;
        real.rows = work.rows;
        real.C = work.C;
        both_passes(t, real);
      };
    }
  }
  return cases;
}

}  // namespace vkgpt::check
