#pragma once

#include <cstdint>

#include "reference/optimizer.hpp"

namespace vkgpt::reference {

/// A moment of a tensor in 8 bits: the codes of the values nearest to moment / scale, and for each 256
/// elements their scale, the largest magnitude (Dettmers et al., arXiv:2110.02861).
struct QuantizedMoment {
  explicit QuantizedMoment(std::size_t elements);

  std::vector<std::uint8_t> codes;
  Vector scales;
};

/// The 256 values of a code, ascending: 0, 1 and the middles of 2^d equal cells (2^(d+1) unsigned) between a
/// tenth and the whole of 10^(d-6), for d = 0 to 6, with either sign if signed.
Vector dynamic_values(bool is_signed);

/// moment = value of the code * scale.
Vector dequantize(const QuantizedMoment& moment, bool is_signed);
/// A positive value of an unsigned moment gets the code of a positive value.
QuantizedMoment quantize(View values, bool is_signed);

/// `adamw_step` with moments that are rounded after they have moved the weights.
void adamw8_step(std::span<double> weights, View gradient, QuantizedMoment& m, QuantizedMoment& v,
                 std::int64_t step, const AdamW& config, double grad_scale = 1.0);

}  // namespace vkgpt::reference
