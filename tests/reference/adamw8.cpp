#include "reference/adamw8.hpp"

#include <algorithm>
#include <cmath>

#include "vkgpt/core/check.hpp"

namespace vkgpt::reference {
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

}  // namespace vkgpt::reference
