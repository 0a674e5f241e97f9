#include <algorithm>
#include <cmath>
#include <numeric>

#include "vkgpt/check/definitions.hpp"
#include "vkgpt/check/op_table.hpp"
#include "vkgpt/check/update_rules.hpp"
#include "vkgpt/core/check.hpp"
#include "vkgpt/core/format.hpp"
#include "vkgpt/ops/optimizer/optimizer_muon.hpp"

namespace vkgpt::check {
namespace {

Vector transpose(View a, std::size_t rows, std::size_t cols) {
  Vector t(rows * cols);
  for (std::size_t i = 0; i < rows; ++i)
    for (std::size_t j = 0; j < cols; ++j) t[j * rows + i] = a[i * cols + j];
  return t;
}

}  // namespace

Vector newton_schulz(View g, std::int64_t rows, std::int64_t cols, int steps) {
  VKGPT_CHECK(g.size() == static_cast<std::size_t>(rows * cols));
  const auto r = static_cast<std::size_t>(rows), c = static_cast<std::size_t>(cols);
  if (r > c) return transpose(newton_schulz(transpose(g, r, c), cols, rows, steps), c, r);
  double squares = 0.0;
  for (const double value : g) squares += value * value;
  Vector x(g.begin(), g.end());
  for (double& value : x) value /= std::max(std::sqrt(squares), 1e-7);
  const double polar[3][3] = {{8.287212018145630, -23.595886519098837, 17.300387312530933},
                              {4.107059111542203, -2.947849916737910, 0.544843108292660},
                              {3.948690853482295, -2.908902115962949, 0.551819139437014}};
  const double jordan[3] = {3.4445, -4.7750, 2.0315};
  VKGPT_CHECK(steps == 5 || (steps >= 1 && steps <= 3), "{} steps", steps);
  for (int step = 0; step < steps; ++step) {
    const double* p = steps == 5 ? jordan : polar[step];
    const Vector gram = matmul_nt(x, x, r, r, c);
    const Vector gram_x = matmul_nn(gram, x, r, c, r);
    const Vector gram_gram_x = matmul_nn(gram, gram_x, r, c, r);
    for (std::size_t i = 0; i < x.size(); ++i) {
      x[i] = p[0] * x[i] + p[1] * gram_x[i] + p[2] * gram_gram_x[i];
    }
  }
  return x;
}

void muon_step(std::span<double> weights, View gradient, std::span<double> momentum, std::int64_t rows,
               std::int64_t cols, const Muon& config, double grad_scale) {
  VKGPT_CHECK(weights.size() == gradient.size() && momentum.size() == weights.size());
  const double mu = config.momentum;
  Vector u(weights.size());
  for (std::size_t i = 0; i < u.size(); ++i) {
    const double g = grad_scale * gradient[i];
    momentum[i] = mu * momentum[i] + (1.0 - mu) * g;
    u[i] = mu * momentum[i] + (1.0 - mu) * g;
  }
  const Vector x = newton_schulz(u, rows, cols, config.steps);
  const double factor = 0.2 * std::sqrt(static_cast<double>(std::max(rows, cols)));
  for (std::size_t i = 0; i < u.size(); ++i) {
    weights[i] -= config.learning_rate * (factor * x[i] + config.weight_decay * weights[i]);
  }
}

namespace {

/// Five steps multiply the smallest singular values, and the rounding errors beside them, by up to 3.4445^5 =
/// 485: fp32 cannot keep the 1e-10 of other kernels there.
constexpr double kMuonNmse = 1e-8;
constexpr double kMuonRate = 0.125;

/// Wide, tall and square, with gaps, and at offsets that are not aligned. All sizes are odd: then they share
/// the kernels of matmul, which are costly to build with validation in them.
const std::vector<ops::MuonMatrix> kMatrices{{0, 17, 65}, {1109, 65, 17}, {2303, 33, 33}};

std::vector<std::size_t> elements_of(const ops::MuonMatrix& m) {
  std::vector<std::size_t> at(static_cast<std::size_t>(m.rows * m.cols));
  std::iota(at.begin(), at.end(), static_cast<std::size_t>(m.offset));
  return at;
}

/// Steps of an arena of `n` elements with zero gradients, large and small ones, clipped and not; then a step
/// that is skipped.
void muon_steps(Trial& t, std::int64_t n, const std::vector<ops::MuonMatrix>& matrices,
                const ops::Muon& config = {}) {
  const auto count = static_cast<std::size_t>(n);
  const Operand weights = t.random({n}, 1, 0.05F), momentum = t.zeros({n}), norm = t.zeros({4}, DType::kU32);
  const plan::Tensor gradients = t.zeros({n});
  ops::optimizer_muon(
      t.builder(),
      {.weights = weights, .gradients = gradients, .momentum = momentum, .norm = norm, .matrices = matrices},
      config);
  Vector w = weights.values, m(count);
  for (std::int64_t step = 0; step <= 3; ++step) {
    const float scale = step == 2 ? 0.25F : 1.0F;
    const float size = step == 0 ? 0.0F : step == 3 ? 1e-5F : 1.0F;
    const std::vector<float> g = random_floats(count, 10 + static_cast<std::uint64_t>(step), size);
    t.replay(step_params_at(step + 1, kMuonRate));
    t.put(gradients, g);
    t.put(norm, norm_state(scale));
    for (const ops::MuonMatrix& matrix : matrices) {
      const auto part = [&](auto& all) {
        return std::span(all).subspan(static_cast<std::size_t>(matrix.offset),
                                      static_cast<std::size_t>(matrix.rows * matrix.cols));
      };
      const Vector exact = to_double(g);
      muon_step(part(w), part(exact), part(m), matrix.rows, matrix.cols,
                {kMuonRate, config.momentum, config.weight_decay, static_cast<int>(config.steps)},
                double{scale});
    }
    if (step == 0) t.expect("weights that only decay", weights, w, kFp32Nmse);
  }
  // Each matrix by itself, and what lies between them as it was.
  std::vector<bool> is_owned(count);
  for (const ops::MuonMatrix& matrix : matrices) {
    t.expect(vkgpt::format("weights ({}, {})", matrix.rows, matrix.cols), weights, w, kMuonNmse,
             elements_of(matrix));
    t.expect(vkgpt::format("momentum ({}, {})", matrix.rows, matrix.cols), momentum, m, kFp32Nmse,
             elements_of(matrix));
    for (const std::size_t i : elements_of(matrix)) is_owned[i] = true;
  }
  std::vector<std::size_t> others;
  for (std::size_t i = 0; i < count; ++i) {
    if (!is_owned[i]) others.push_back(i);
  }
  t.expect_exactly("weights of others", weights, to_float(weights), others);
  t.expect_exactly("momentum of others", momentum, std::vector<float>(count), others);
  t.replay(step_params_at(5, kMuonRate));
  t.put(gradients, random_floats(count, 20));
  t.put(norm, norm_state(1.0F, true));
  t.expect_kept("weights", weights);
  t.expect_kept("momentum", momentum);
}

}  // namespace

std::vector<Case> muon_cases() {
  return {{.variant = "f32 three matrices",
           .quick = true,
           .devices = sliced_devices(1 << 20),
           .build = [](Trial& t) { muon_steps(t, 3400, kMatrices); }},
          {.variant = "f32 three matrices, three steps",
           .build = [](Trial& t) { muon_steps(t, 3400, kMatrices, {.momentum = 0.9, .steps = 3}); }},
          {.variant = "f32 a matrix of several slices",
           .devices = {{.name = "sliced", .max_binding_bytes = sizeof(float) * 64 * 135}},
           .build = [](Trial& t) { muon_steps(t, 17800, {{65, 135, 131}}); }}};
}

}  // namespace vkgpt::check
