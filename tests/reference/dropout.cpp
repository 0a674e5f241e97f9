#include "reference/dropout.hpp"

#include "vkgpt/core/rng.hpp"

namespace vkgpt::reference {

Vector dropout_forward(View x, double p, const DropoutStream& stream) {
  const RngStream masks{stream.seed, RngPurpose::kDropout, stream.site, stream.step};
  Vector y(x.size());
  for (std::size_t i = 0; i < x.size(); ++i) {
    const float uniform = uniform_float(masks.block(static_cast<std::uint32_t>(i / 4))[i % 4]);
    y[i] = uniform >= static_cast<float>(p) ? x[i] / (1 - p) : 0.0;
  }
  return y;
}

ProbabilityMask probability_mask(double p, const DropoutStream& stream) {
  const double scale = static_cast<float>(1.0 / (1.0 - p));
  return [stream, p = static_cast<float>(p), scale](std::size_t row, std::size_t key) {
    const RngStream masks{.seed = stream.seed,
                          .purpose = RngPurpose::kDropout,
                          .sub = stream.site,
                          .step = stream.step,
                          .index = static_cast<std::uint32_t>(row)};
    const PhiloxCounter words = masks.block(static_cast<std::uint32_t>(key / 4));
    return uniform_float(words[key % 4]) >= p ? scale : 0.0;
  };
}

}  // namespace vkgpt::reference
