#include "vkgpt/ops/dropout.hpp"

#include "vkgpt/check/definitions.hpp"
#include "vkgpt/check/op_table.hpp"
#include "vkgpt/core/format.hpp"
#include "vkgpt/core/rng.hpp"

namespace vkgpt::check {

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

namespace {

void masked(Trial& t, std::int64_t n, DType from, DType to, const ops::Dropout& place) {
  const Operand x = t.random({n}, 1, 4.0F, from);
  const plan::Tensor y = t.output({n}, to);
  ops::dropout(t.builder(), x, y, place);
  for (const std::uint32_t step : {0U, 7U}) {
    t.replay({.seed_lo = 0x9abcdef0, .seed_hi = 0x12345678, .dropout_step = step});
    const Vector expected = dropout_forward(x, place.p, {0x123456789abcdef0, place.site, step});
    // A scale of 2 rounds nothing but to the type.
    if (place.p == 0.5) t.expect_exactly("y", y, rounded(to_float(expected), to));
    t.expect("y", y, expected, rounding_bound(to));
  }
}

}  // namespace

std::vector<Case> dropout_cases() {
  std::vector<Case> cases;
  for (const std::int64_t n : {1, 6, 64, 1001, 5003}) {
    cases.push_back(
        {.variant = vkgpt::format("f32 {}", n),
         .quick = n == 1001,
         .devices = folded_devices(4096),
         .build = [=](Trial& t) { masked(t, n, DType::kF32, DType::kF32, {.p = 0.3, .site = 0xabcdef}); }});
  }
  for (const DType from : kFloatTypes) {
    for (const DType to : kFloatTypes) {
      if (from != to && from != DType::kF32 && to != DType::kF32) continue;  // no plan mixes these
      cases.push_back({.variant = vkgpt::format("{} to {}", dtype_name(from), dtype_name(to)),
                       .dtype = DType::kF16,
                       .quick = from == to,
                       .build = [=](Trial& t) { masked(t, 1003, from, to, {.p = 0.5, .site = 3}); }});
    }
  }
  cases.push_back({.variant = "f32 of p 0",
                   .build = [](Trial& t) { masked(t, 999, DType::kF32, DType::kF32, {.p = 0, .site = 1}); }});
  return cases;
}

}  // namespace vkgpt::check
