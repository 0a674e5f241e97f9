#include <algorithm>
#include <cmath>
#include <numeric>

#include "vkgpt/check/op_table.hpp"
#include "vkgpt/check/update_rules.hpp"
#include "vkgpt/core/check.hpp"
#include "vkgpt/core/format.hpp"
#include "vkgpt/ops/optimizer/optimizer.hpp"
#include "vkgpt/ops/optimizer/optimizer_adamw8.hpp"

namespace vkgpt::check {
namespace {

constexpr std::size_t kBlock = 256;

/// Of two equally near values the smaller. `values` ascend.
std::size_t nearest(const Vector& values, double x) {
  const auto above = static_cast<std::size_t>(std::ranges::lower_bound(values, x) - values.begin());
  if (above == 0) return 0;
  if (above == values.size()) return above - 1;
  return x - values[above - 1] <= values[above] - x ? above - 1 : above;
}

}  // namespace

QuantizedMoment::QuantizedMoment(std::size_t elements)
    : codes(elements), scales((elements + kBlock - 1) / kBlock) {}

Vector dynamic_values(bool is_signed) {
  Vector values{0.0, 1.0};
  for (int d = 0; d < 7; ++d) {
    const int cells = is_signed ? 1 << d : 2 << d;
    for (int i = 0; i < cells; ++i) {
      const double low = 0.1 + 0.9 * i / cells, high = 0.1 + 0.9 * (i + 1) / cells;
      const double value = std::pow(10.0, d - 6) * (low + high) / 2.0;
      values.push_back(value);
      if (is_signed) values.push_back(-value);
    }
  }
  std::ranges::sort(values);
  return values;
}

Vector dequantize(const QuantizedMoment& moment, bool is_signed) {
  const Vector values = dynamic_values(is_signed);
  Vector result(moment.codes.size());
  for (std::size_t i = 0; i < result.size(); ++i)
    result[i] = values[moment.codes[i]] * moment.scales[i / kBlock];
  return result;
}

QuantizedMoment quantize(View values, bool is_signed) {
  const Vector table = dynamic_values(is_signed);
  QuantizedMoment result(values.size());
  for (std::size_t first = 0; first < values.size(); first += kBlock) {
    const View block = values.subspan(first, std::min(kBlock, values.size() - first));
    double scale = 0.0;
    for (const double value : block) scale = std::max(scale, std::abs(value));
    result.scales[first / kBlock] = scale;
    for (std::size_t i = 0; i < block.size(); ++i) {
      std::size_t code = nearest(table, scale > 0.0 ? block[i] / scale : 0.0);
      if (!is_signed && block[i] > 0.0) code = std::max<std::size_t>(code, 1);
      result.codes[first + i] = static_cast<std::uint8_t>(code);
    }
  }
  return result;
}

void adamw8_step(std::span<double> weights, View gradient, QuantizedMoment& m, QuantizedMoment& v,
                 std::int64_t step, const AdamW& config, double grad_scale) {
  VKGPT_CHECK(m.codes.size() == weights.size() && v.codes.size() == weights.size());
  Vector exact_m = dequantize(m, true), exact_v = dequantize(v, false);
  adamw_step(weights, gradient, exact_m, exact_v, step, config, grad_scale);
  m = quantize(exact_m, true);
  v = quantize(exact_v, false);
}

namespace {

/// A moment that lies between two values within a rounding error may get either code, one of 64 in its
/// decade.
constexpr double kQuantizedNmse = 1e-8;
constexpr double kAdamW8Rate = 3e-3;
constexpr ops::AdamW kAdamW{.beta1 = 0.9, .beta2 = 0.95, .eps = 1e-8, .weight_decay = 0.1};
/// Big, small, big, and a gap that is nobody's; none of them whole blocks.
const std::vector<ops::Slice> kTensors{{0, 4100}, {4352, 100}, {4608, 4095}, {8960, 5000}};
constexpr std::int64_t kElements = 8960 + 5120;

/// Gradients of the tensors; padding and gaps are zero, as in a model's arena. One block of the first big
/// tensor has no gradient, and another spans many orders of magnitude.
std::vector<float> gradients_of(std::int64_t step) {
  const std::vector<float> random = random_floats(kElements, 10 + static_cast<std::uint64_t>(step));
  std::vector<float> gradients(kElements);
  for (const ops::Slice tensor : kTensors) {
    for (std::int64_t i = tensor.first; i < tensor.first + tensor.count; ++i) {
      const auto at = static_cast<std::size_t>(i);
      const bool is_wide = i >= 1024 && i < 1280;
      if (i >= 512 && i < 768) continue;
      gradients[at] = random[at] * (is_wide ? std::exp2(-0.1F * static_cast<float>(i - 1024)) : 1.0F);
    }
  }
  return gradients;
}

/// Five steps, clipped and not, then one that is skipped. The codes are held by tests/ops.
void five_steps(Trial& t) {
  const Operand weights = t.random({kElements}, 1, 0.1F), norm = t.zeros({4}, DType::kU32);
  const plan::Tensor gradients = t.zeros({kElements});
  ops::optimizer_adamw8(t.builder(),
                        {.weights = weights,
                         .gradients = gradients,
                         .decay = ops::decay_bits(t.builder(), kElements, std::span(kTensors).first(1)),
                         .norm = norm,
                         .tensors = kTensors},
                        kAdamW);
  Vector w = weights.values, small_m(kElements), small_v(kElements);
  std::vector<QuantizedMoment> m, v;
  for (const ops::Slice tensor : kTensors) {
    m.emplace_back(static_cast<std::size_t>(tensor.count));
    v.emplace_back(static_cast<std::size_t>(tensor.count));
  }
  for (std::int64_t step = 1; step <= 5; ++step) {
    const float scale = step % 2 == 0 ? 0.25F : 1.0F;
    t.replay(step_params_at(step, kAdamW8Rate));
    t.put(gradients, gradients_of(step));
    t.put(norm, norm_state(scale));
    const Vector g = to_double(gradients_of(step));
    for (std::size_t i = 0; i < kTensors.size(); ++i) {
      const auto part = [&](auto& all) {
        return std::span(all).subspan(static_cast<std::size_t>(kTensors[i].first),
                                      static_cast<std::size_t>(kTensors[i].count));
      };
      const AdamW config{kAdamW8Rate, kAdamW.beta1, kAdamW.beta2, kAdamW.eps,
                         i == 0 ? kAdamW.weight_decay : 0.0};
      if (kTensors[i].count >= ops::kAdamW8MinElements) {
        adamw8_step(part(w), part(g), m[i], v[i], step, config, double{scale});
      } else {
        adamw_step(part(w), part(g), part(small_m), part(small_v), step, config, double{scale});
      }
    }
  }
  for (const ops::Slice tensor : kTensors) {
    std::vector<std::size_t> at(static_cast<std::size_t>(tensor.count));
    std::iota(at.begin(), at.end(), static_cast<std::size_t>(tensor.first));
    t.expect(vkgpt::format("weights from {}", tensor.first), weights, w,
             tensor.count < ops::kAdamW8MinElements ? kFp32Nmse : kQuantizedNmse, at);
  }
  std::vector<std::size_t> gap(256);
  std::iota(gap.begin(), gap.end(), 8704U);
  t.expect_exactly("weights of nobody", weights, to_float(weights), gap);
  t.replay(step_params_at(6, kAdamW8Rate));
  t.put(gradients, gradients_of(6));
  t.put(norm, norm_state(1.0F, true));
  t.expect_kept("weights", weights);
}

void timed_adamw8(Trial& t, const Workload& work) {
  const std::int64_t n = work.parameters / ops::kAdamW8Block * ops::kAdamW8Block;
  const std::vector whole = {ops::Slice{0, n}};
  const Operand norm = t.given({4}, norm_state(1.0F), DType::kU32);
  const Operand weights = t.random({n}, 1), gradients = t.random({n}, 2);
  t.pass(vkgpt::format("f32 {}", n));
  ops::optimizer_adamw8(t.builder(),
                        {.weights = weights,
                         .gradients = gradients,
                         .decay = ops::decay_bits(t.builder(), n, whole),
                         .norm = norm,
                         .tensors = whole},
                        kAdamW);
  t.replay(step_params_at(1, kAdamW8Rate));
}

}  // namespace

std::vector<Case> adamw8_cases() {
  return {{.variant = "f32 four tensors",
           .quick = true,
           .devices = folded_devices(sizeof(float) * 256 * 11),
           .build = five_steps,
           .timed = timed_adamw8}};
}

}  // namespace vkgpt::check
