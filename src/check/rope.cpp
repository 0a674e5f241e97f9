#include "vkgpt/ops/attention/rope.hpp"

#include <algorithm>
#include <cmath>
#include <numbers>

#include "vkgpt/check/definitions.hpp"
#include "vkgpt/check/op_table.hpp"
#include "vkgpt/core/check.hpp"
#include "vkgpt/core/format.hpp"

namespace vkgpt::check {
namespace {

/// As transformers has it (`_compute_yarn_parameters`), with whole pairs at the ramp's ends.
double yarn_frequency(const Rope& rope, double plain, std::size_t i, std::size_t HS) {
  const auto dimension = [&](double turns) {
    return static_cast<double>(HS) * std::log(rope.original_context / (turns * 2 * std::numbers::pi)) /
           (2 * std::log(rope.theta));
  };
  const double begin = std::max(std::floor(dimension(rope.high)), 0.0);
  double end = std::min(std::ceil(dimension(rope.low)), static_cast<double>(HS - 1));
  if (begin == end) end += 0.001;
  const double ramp = std::clamp((static_cast<double>(i) - begin) / (end - begin), 0.0, 1.0);
  return plain / rope.factor * ramp + plain * (1 - ramp);
}

/// As transformers has it (`_compute_llama3_parameters`), in wavelengths.
double frequency(const Rope& rope, std::size_t i, std::size_t HS) {
  const double plain = std::pow(rope.theta, -static_cast<double>(2 * i) / static_cast<double>(HS));
  if (rope.rule == Rope::Rule::kLinear) return plain / rope.factor;
  if (rope.rule == Rope::Rule::kYarn) return yarn_frequency(rope, plain, i, HS);
  const double wavelength = 2 * std::numbers::pi / plain;
  if (rope.factor == 1 || wavelength < rope.original_context / rope.high) return plain;
  if (wavelength > rope.original_context / rope.low) return plain / rope.factor;
  const double smooth = (rope.original_context / wavelength - rope.low) / (rope.high - rope.low);
  return (1 - smooth) * plain / rope.factor + smooth * plain;
}

Vector rotate(View qkv, const AttentionShape& s, const Rope& rope, double direction) {
  VKGPT_CHECK(qkv.size() == s.B * s.T * s.qkv_width() && s.HS() % 2 == 0);
  const std::size_t half = s.HS() / 2;
  Vector result(qkv.begin(), qkv.end());
  for (std::size_t row = 0; row < s.B * s.T; ++row) {
    for (std::size_t head = 0; head < s.NH + s.kv_heads(); ++head) {
      for (std::size_t i = 0; i < half; ++i) {
        const auto t = static_cast<double>(s.position(row / s.T, row % s.T));
        const double angle = direction * t * frequency(rope, i, s.HS());
        const std::size_t at = row * s.qkv_width() + head * s.HS() + i;
        const double cosine = rope.magnitude * std::cos(angle), sine = rope.magnitude * std::sin(angle);
        result[at] = qkv[at] * cosine - qkv[at + half] * sine;
        result[at + half] = qkv[at + half] * cosine + qkv[at] * sine;
      }
    }
  }
  return result;
}

}  // namespace

Vector rope_forward(View qkv, const AttentionShape& s, const Rope& rope) {
  return rotate(qkv, s, rope, 1.0);
}

Vector rope_backward(View dqkv, const AttentionShape& s, const Rope& rope) {
  return rotate(dqkv, s, rope, -1.0);
}

namespace {

struct HeadsSize {
  std::int64_t B, T, NH, NKV, HS;

  std::int64_t width() const { return (NH + 2 * NKV) * HS; }
  AttentionShape shape(std::int64_t length) const {
    const auto size = [](std::int64_t value) { return static_cast<std::size_t>(value); };
    return {.B = size(B), .T = size(length), .C = size(NH * HS), .NH = size(NH), .NKV = size(NKV)};
  }
};

void there_and_back(Trial& t, DType dtype, const HeadsSize& s, const ops::RopeAngles& angles,
                    const std::vector<std::int32_t>& positions = {}) {
  const Shape all{s.B, s.T, s.width()};
  const Operand qkv = t.random(all, 1, 2.0F, dtype), dqkv = t.random(all, 2, 2.0F, dtype);
  const plan::Tensor table = ops::rope_table(t.builder(), s.T + 2, s.HS, angles);
  std::optional<plan::Tensor> places;
  if (!positions.empty()) places = t.input({s.B, s.T}, positions);
  ops::rope_forward(t.builder(),
                    {.qkv = qkv, .table = table, .n_head = s.NH, .n_kv_head = s.NKV, .positions = places});
  ops::rope_backward(t.builder(),
                     {.dqkv = dqkv, .table = table, .n_head = s.NH, .n_kv_head = s.NKV, .positions = places});
  AttentionShape shape = s.shape(s.T);
  shape.positions = positions;
  using Rule = Rope::Rule;
  const Rope rope{.theta = angles.theta,
                  .factor = angles.factor,
                  .low = angles.low,
                  .high = angles.high,
                  .original_context = angles.original_context,
                  .rule = angles.scaling == ops::RopeScaling::kLinear ? Rule::kLinear
                          : angles.scaling == ops::RopeScaling::kYarn ? Rule::kYarn
                                                                      : Rule::kLlama3,
                  .magnitude = angles.magnitude};
  t.expect("qkv", qkv, rope_forward(qkv, shape, rope), rounding_bound(dtype));
  t.expect("dqkv", dqkv, rope_backward(dqkv, shape, rope), rounding_bound(dtype));
}

/// The same row of each sequence at several positions, beside position t of a longer sequence.
void decoding(Trial& t, DType dtype) {
  constexpr HeadsSize s{2, 1, 3, 1, 20};
  const Operand qkv = t.random({s.B, s.width()}, 3, 1.0F, dtype);
  const plan::Tensor table = ops::rope_table(t.builder(), 9, s.HS, {.theta = 1000});
  const plan::Tensor places = t.input({s.B, 2}, std::vector<std::int32_t>(2 * s.B));
  ops::rope_forward(t.builder(),
                    {.qkv = qkv, .table = table, .n_head = s.NH, .n_kv_head = s.NKV, .places = places});
  for (const std::int64_t position : {0, 5, 8}) {
    t.replay({});
    t.put(qkv, to_float(qkv));
    const auto first = static_cast<std::int32_t>(position);
    t.put(places, std::vector<std::int32_t>{first, 0, first, 1});
    const std::int64_t length = position + 1;
    Vector all(static_cast<std::size_t>(s.B * length * s.width())), expected;
    for (std::int64_t b = 0; b < s.B; ++b) {
      std::copy_n(qkv.values.begin() + b * s.width(), s.width(),
                  all.begin() + (b * length + position) * s.width());
    }
    const Vector turned = rope_forward(all, s.shape(length), {.theta = 1000});
    for (std::int64_t b = 0; b < s.B; ++b) {
      const auto row = turned.begin() + (b * length + position) * s.width();
      expected.insert(expected.end(), row, row + s.width());
    }
    t.expect("qkv", qkv, expected, rounding_bound(dtype));
  }
}

}  // namespace

std::vector<Case> rope_cases() {
  std::vector<Case> cases;
  for (const DType dtype : kFloatTypes) {
    for (const HeadsSize& s : {HeadsSize{1, 1, 1, 1, 4},
                               {3, 5, 3, 1, 20},
                               {2, 8, 4, 2, 32},
                               {1, 33, 6, 3, 20},
                               {2, 131, 3, 1, 20},
                               {1, 64, 1, 1, 32}}) {
      // The head size is compiled in, but the same for all types.
      if (dtype != DType::kF32 && s.HS != 20) continue;
      cases.push_back({.variant = vkgpt::format("{} {}x{} heads {} of {} of {}", dtype_name(dtype), s.B, s.T,
                                                s.NH, s.NKV, s.HS),
                       .dtype = dtype,
                       .quick = s.T == 33,
                       .devices = folded_devices(static_cast<std::uint64_t>(128 * s.width()) * sizeof(float)),
                       .build = [=](Trial& t) { there_and_back(t, dtype, s, {.theta = 1000}); }});
    }
    cases.push_back({.variant = vkgpt::format("{} decode", dtype_name(dtype)),
                     .dtype = dtype,
                     .build = [=](Trial& t) { decoding(t, dtype); }});
  }
  constexpr HeadsSize kPacked{2, 40, 3, 1, 20};
  std::vector<std::int32_t> positions;
  for (std::int64_t row = 0; row < kPacked.B * kPacked.T; ++row) {
    positions.push_back(static_cast<std::int32_t>(row % kPacked.T % 7));
  }
  cases.push_back(
      {.variant = "f32 positions of documents",
       .devices = folded_devices(static_cast<std::uint64_t>(64 * kPacked.width()) * sizeof(float)),
       .build = [=](Trial& t) { there_and_back(t, DType::kF32, kPacked, {.theta = 1000}, positions); }});
  // Wavelengths from 6 to 4e4: kept, between, and stretched.
  using Scaling = ops::RopeScaling;
  const std::pair<const char*, ops::RopeAngles> stretched[] = {
      {"Llama 3.1", {.scaling = Scaling::kLlama3, .factor = 8, .low = 1, .high = 4, .original_context = 100}},
      {"YaRN",
       {.scaling = Scaling::kYarn,
        .factor = 8,
        .low = 1,
        .high = 8,
        .original_context = 100,
        .magnitude = 1.2}},
      {"linear", {.scaling = Scaling::kLinear, .factor = 4}}};
  for (const auto& [name, angles] : stretched) {
    cases.push_back({.variant = vkgpt::format("f32 stretched as {}", name),
                     .build = [=](Trial& t) { there_and_back(t, DType::kF32, {1, 40, 1, 1, 32}, angles); }});
  }
  return cases;
}

}  // namespace vkgpt::check
