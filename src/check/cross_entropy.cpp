#include "vkgpt/ops/cross_entropy.hpp"

#include <algorithm>
#include <bit>
#include <cmath>
#include <optional>

#include "vkgpt/check/definitions.hpp"
#include "vkgpt/check/op_table.hpp"
#include "vkgpt/core/check.hpp"
#include "vkgpt/core/format.hpp"

namespace vkgpt::check {
namespace {

double log_sum_exp(View values) {
  const double largest = *std::ranges::max_element(values);
  double sum = 0.0;
  for (const double value : values) sum += std::exp(value - largest);
  return largest + std::log(sum);
}

double mean(View values) {
  double sum = 0.0;
  for (const double value : values) sum += value;
  return sum / static_cast<double>(values.size());
}

}  // namespace

CrossEntropy cross_entropy_forward(View logits, TokenView targets, std::size_t V, std::size_t Vp,
                                   const LossShaping& shaping) {
  VKGPT_CHECK(0 < V && V <= Vp && logits.size() == targets.size() * Vp);
  CrossEntropy result{.losses = Vector(targets.size(), 0.0)};
  double total = 0.0;
  for (std::size_t n = 0; n < targets.size(); ++n) {
    if (targets[n] < 0) continue;
    const auto target = static_cast<std::size_t>(targets[n]);
    VKGPT_CHECK(target < V, "target {}", target);
    const Vector row = softcap_forward(logits.subspan(n * Vp, V), shaping.softcap);
    const double lse = log_sum_exp(row);
    const double smooth = shaping.label_smoothing;
    result.losses[n] = lse - (1.0 - smooth) * row[target] - smooth * mean(row) + shaping.z_loss * lse * lse;
    result.counted += 1;
    total += result.losses[n];
  }
  if (result.counted > 0) result.mean_loss = total / static_cast<double>(result.counted);
  return result;
}

Vector cross_entropy_backward(View logits, TokenView targets, std::size_t V, std::size_t Vp,
                              double grad_scale, const LossShaping& shaping) {
  VKGPT_CHECK(0 < V && V <= Vp && logits.size() == targets.size() * Vp);
  Vector dlogits(logits.size(), 0.0);
  for (std::size_t n = 0; n < targets.size(); ++n) {
    if (targets[n] < 0) continue;
    const auto target = static_cast<std::size_t>(targets[n]);
    VKGPT_CHECK(target < V, "target {}", target);
    const View raw = logits.subspan(n * Vp, V);
    const Vector row = softcap_forward(raw, shaping.softcap);
    const double lse = log_sum_exp(row);
    Vector drow(V);
    for (std::size_t v = 0; v < V; ++v) {
      const double probability = std::exp(row[v] - lse);
      const double wanted = (v == target ? 1.0 - shaping.label_smoothing : 0.0) +
                            shaping.label_smoothing / static_cast<double>(V);
      drow[v] = grad_scale * (probability * (1.0 + 2.0 * shaping.z_loss * lse) - wanted);
    }
    std::ranges::copy(softcap_backward(drow, raw, shaping.softcap), &dlogits[n * Vp]);
  }
  return dlogits;
}

namespace {

constexpr float kGradScale = 0.37F;

struct LossVariant {
  DType dtype;
  std::int64_t rows, V, Vp;
  LossShaping shaping = {};
  bool is_scaled = false;  // by a loss scale of 1024

  std::string text() const {
    std::string text = vkgpt::format("{} {}x{}", dtype_name(dtype), rows, V);
    if (shaping.softcap > 0) text += vkgpt::format(" softcap {}", shaping.softcap);
    if (shaping.z_loss > 0) text += " smoothed z_loss";
    return is_scaled ? text + " loss_scale" : text;
  }
};

/// Every fifth row is ignored; padding holds what a masked column must not let through.
void both_losses(Trial& t, const LossVariant& v) {
  std::vector<float> values = random_floats(static_cast<std::size_t>(v.rows * v.Vp), 1, 20.0F);
  for (std::size_t i = 0; i < values.size(); ++i) {
    if (static_cast<std::int64_t>(i) % v.Vp >= v.V) values[i] = 1000.0F;
  }
  std::vector<std::int32_t> targets =
      random_tokens(static_cast<std::size_t>(v.rows), 2, static_cast<std::int32_t>(v.V));
  for (std::size_t i = 2; i < targets.size(); i += 5) targets[i] = -1;
  const Operand logits = t.given({v.rows, v.Vp}, values, v.dtype);
  const ops::CrossEntropy args{.logits = logits,
                               .targets = t.input({v.rows}, targets),
                               .losses = t.output({v.rows}),
                               .V = v.V,
                               .softcap = v.shaping.softcap};
  ops::CrossEntropy plain = args;
  plain.losses = t.output({v.rows});
  std::optional<plan::Tensor> loss_scale;
  if (v.is_scaled) loss_scale = t.given({4}, std::vector{1024.0F, 0.0F, 0.0F, 0.0F}, DType::kU32);
  ops::cross_entropy_forward(t.builder(), plain);
  ops::cross_entropy_fused(t.builder(), args, kGradScale,
                           {.label_smoothing = v.shaping.label_smoothing, .z_loss = v.shaping.z_loss},
                           loss_scale);
  t.expect("plain losses", plain.losses,
           cross_entropy_forward(logits, targets, v.V, v.Vp, {.softcap = v.shaping.softcap}).losses,
           kFp32Nmse);
  t.expect("losses", args.losses, cross_entropy_forward(logits, targets, v.V, v.Vp, v.shaping).losses,
           kFp32Nmse);
  const double upstream = double{kGradScale} * (v.is_scaled ? 1024 : 1);
  t.expect("dlogits", args.logits, cross_entropy_backward(logits, targets, v.V, v.Vp, upstream, v.shaping),
           rounding_bound(v.dtype));
}

/// Rows whose gradients are weighed, one of them ignored.
void weighed(Trial& t, std::int64_t V, std::int64_t Vp, const LossShaping& shaping) {
  constexpr std::int64_t kRows = 9;
  const Operand logits = t.random({kRows, Vp}, 1, 20.0F), weights = t.random({kRows}, 2, 3.0F);
  std::vector<std::int32_t> targets = random_tokens(kRows, 3, static_cast<std::int32_t>(V));
  targets[4] = -1;
  const auto columns = static_cast<std::size_t>(Vp);
  Vector expected = cross_entropy_backward(logits, targets, V, columns, double{kGradScale}, shaping);
  for (std::size_t i = 0; i < expected.size(); ++i) expected[i] *= weights.values[i / columns];
  const ops::CrossEntropy args{.logits = logits,
                               .targets = t.input({kRows}, targets),
                               .losses = t.output({kRows}),
                               .V = V,
                               .softcap = shaping.softcap,
                               .weights = weights};
  ops::cross_entropy_fused(t.builder(), args, kGradScale,
                           {.label_smoothing = shaping.label_smoothing, .z_loss = shaping.z_loss});
  t.expect("losses", args.losses, cross_entropy_forward(logits, targets, V, columns, shaping).losses,
           kFp32Nmse);
  t.expect("dlogits", args.logits, expected, kFp32Nmse);
}

/// A classifier that works through the rows in chunks.
void chunks(Trial& t) {
  constexpr std::int64_t kRows = 100, V = 65, Vp = 128;
  const std::vector<std::int32_t> targets = random_tokens(kRows, 2, V);
  const std::vector<float> values = random_floats(kRows * Vp, 1, 20.0F);
  const plan::Tensor ids = t.input({4, 25}, targets), losses = t.output({4, 25});
  for (std::int64_t first = 0; first < kRows; first += 37) {
    const std::int64_t rows = std::min<std::int64_t>(37, kRows - first);
    const auto chunk =
        std::span(values).subspan(static_cast<std::size_t>(first * Vp), static_cast<std::size_t>(rows * Vp));
    ops::cross_entropy_fused(
        t.builder(),
        {.logits = t.input({rows, Vp}, chunk), .targets = ids, .losses = losses, .first_row = first, .V = V},
        1.0F);
  }
  t.expect("losses", losses, cross_entropy_forward(to_double(values), targets, V, Vp).losses, kFp32Nmse);
}

struct Fused {
  plan::Tensor logits, losses;
};

Fused fused(Trial& t, Shape shape, const std::vector<float>& logits,
            const std::vector<std::int32_t>& targets) {
  const std::int64_t rows = shape[0], V = shape[1];
  const Fused result{t.input(std::move(shape), logits), t.output({rows})};
  ops::cross_entropy_fused(
      t.builder(),
      {.logits = result.logits, .targets = t.input({rows}, targets), .losses = result.losses, .V = V}, 1.0F);
  return result;
}

/// Extreme logits stay finite. (The definition's log-sum-exp would lose the log beside 3e38.)
void extremes(Trial& t) {
  const auto [logits, losses] = fused(
      t, {4, 4}, {1e30F, -1e30F, 0, 5, -1e4F, -1e4F, -1e4F, -1e4F, 88, 89, 90, 1e4F, 3e38F, 3e38F, -3e38F, 0},
      {0, 1, 3, 1});
  t.expect("losses", losses, {0, std::log(4.0), 0, std::log(2.0)}, kFp32Nmse);
  t.expect("dlogits", logits, {0, 0, 0, 0, 0.25, -0.75, 0.25, 0.25, 0, 0, 0, 0, 0.5, -0.5, 0, 0}, kFp32Nmse);
}

void nan_reaches_the_loss(Trial& t) {
  std::vector<float> values(128, 0.0F);
  values[70] = kNaN;
  const auto [logits, losses] = fused(t, {2, 64}, values, {3, 4});
  t.expect_near("losses", losses, {std::log(64.0), kNaN}, 1e-6);
}

/// A gradient that f16 cannot hold unscaled: 2^-20 times probabilities of 2^-6.
void small_gradients(Trial& t, bool is_scaled) {
  const std::vector<float> zeros(64);
  const std::vector<std::int32_t> targets{7};
  const plan::Tensor logits = t.input({1, 64}, zeros, DType::kF16);
  std::optional<plan::Tensor> scale;
  if (is_scaled) scale = t.given({4}, std::vector{65536.0F, 0.0F, 0.0F, 0.0F}, DType::kU32);
  ops::cross_entropy_fused(
      t.builder(), {.logits = logits, .targets = t.input({1}, targets), .losses = t.output({1}), .V = 64},
      0x1p-20F, {}, scale);
  const std::vector<float> expected(64, is_scaled ? 0x1p-10F : 0.0F);
  t.expect_exactly("dlogits", logits, expected, {0, 1, 63});
}

/// Gradients are rounded to the nearest f16, and what it cannot hold is infinite, not its largest number: a
/// driver's conversion may do otherwise. Of 128 equal logits all have 1024.75, between 1024 and 1025; the
/// target -127 times that.
void gradients_between(Trial& t) {
  constexpr std::int64_t kV = 128;
  const std::vector<float> zeros(kV);
  const std::vector<std::int32_t> targets{7};
  const plan::Tensor logits = t.input({1, kV}, zeros, DType::kF16);
  ops::cross_entropy_fused(
      t.builder(), {.logits = logits, .targets = t.input({1}, targets), .losses = t.output({1}), .V = kV},
      kV * 1024.75F);
  std::vector<float> expected(kV, 1025.0F);
  expected[7] = -kInfinity;
  t.expect_exactly("dlogits", logits, expected);
}

/// The sum over two micro-steps and its mean; ignored rows hold losses that must not count.
void sum_and_mean(Trial& t, std::int64_t rows, bool has_statistics) {
  const Operand losses = t.random({rows}, 1, 5.0F);
  std::vector<std::int32_t> targets(losses.values.size(), 7);
  double sum = 0;
  std::uint32_t counted = 0;
  for (std::size_t i = 0; i < targets.size(); ++i) {
    if (i % 3 == 1) targets[i] = -1;
    sum += i % 3 == 1 ? 0 : 2 * losses.values[i];
    counted += i % 3 == 1 ? 0 : 2;
  }
  const plan::Tensor ids = t.input({rows}, targets), accumulator = t.zeros({2}, DType::kU32);
  const plan::Tensor mean = t.output({8});
  std::optional<plan::Tensor> norm, scale;
  if (has_statistics) {
    norm = t.given({4}, std::vector{0.25F, 0.5F, 0.0F, 0.0F}, DType::kU32);
    scale = t.given({4}, std::vector{1024.0F, 0.0F, 0.0F, 0.0F}, DType::kU32);
  }
  for (int step = 0; step < 2; ++step) ops::loss_sum(t.builder(), losses, ids, accumulator);
  ops::loss_mean(t.builder(), accumulator, mean, norm, scale, has_statistics ? 3 * counted : 0);
  t.expect_near("sum and count", accumulator, {sum, double{std::bit_cast<float>(counted)}}, 1e-5);
  const double average = sum / counted;
  t.expect_near("mean", mean,
                has_statistics ? Vector{average, 0.25, 0.5, 0, 1024, static_cast<double>(counted), 3, 0}
                               : Vector{average, 0, 0, 0, 1, static_cast<double>(counted), 1, 0},
                1e-5);
}

/// Without a row that counts.
void mean_of_nothing(Trial& t) {
  const plan::Tensor mean = t.output({8});
  ops::loss_mean(t.builder(), t.zeros({2}, DType::kU32), mean);
  t.expect_exactly("mean", mean, std::vector<float>{0, 0, 0, 0, 1, 0, 1, 0});
}

std::vector<LossVariant> variants() {
  constexpr LossShaping kCapped{.softcap = 8}, kShaped{.label_smoothing = 0.1, .z_loss = 0.01},
      kAll{.softcap = 15, .label_smoothing = 0.2, .z_loss = 1e-3};
  std::vector<LossVariant> all;
  for (const auto& [rows, V, Vp] : std::initializer_list<std::array<std::int64_t, 3>>{{1, 1, 1},
                                                                                      {3, 5, 64},
                                                                                      {70, 65, 128},
                                                                                      {130, 97, 128},
                                                                                      {5, 1025, 1088},
                                                                                      {66, 64, 64},
                                                                                      {2, 50257, 50304}}) {
    all.push_back({DType::kF32, rows, V, Vp});
  }
  for (const DType dtype : kFloatTypes) {
    all.push_back({dtype, 5, 1025, 1088, kAll, true});
    for (const auto& [rows, V, Vp] :
         std::initializer_list<std::array<std::int64_t, 3>>{{3, 5, 64}, {130, 97, 128}}) {
      // The element type and the features are independent: 16 bits see none and all of these.
      if (dtype != DType::kF32) all.push_back({dtype, rows, V, Vp});
      if (dtype == DType::kF32) all.push_back({dtype, rows, V, Vp, kCapped, true});
      if (dtype == DType::kF32) all.push_back({dtype, rows, V, Vp, kShaped});
      all.push_back({dtype, rows, V, Vp, kAll, true});
    }
  }
  return all;
}

}  // namespace

std::vector<Case> cross_entropy_cases() {
  std::vector<Case> cases;
  for (const LossVariant& v : variants()) {
    const bool is_plain = v.shaping.softcap == 0 && v.shaping.z_loss == 0;
    cases.push_back({.variant = v.text(),
                     .dtype = v.dtype,
                     .quick = v.V == 97 && (is_plain || v.shaping.softcap == 15),
                     .devices = folded_devices(128 * static_cast<std::uint64_t>(v.Vp) * sizeof(float)),
                     .build = [v](Trial& t) { both_losses(t, v); }});
  }
  for (const std::int64_t rows : {1, 5, 64, 3001}) {
    for (const bool has_statistics : {false, true}) {
      cases.push_back(
          {.variant = vkgpt::format("f32 mean of {}{}", rows, has_statistics ? " with statistics" : ""),
           .quick = rows == 64,
           .devices = folded_devices(1 << 20),
           .build = [=](Trial& t) { sum_and_mean(t, rows, has_statistics); }});
    }
  }
  cases.push_back({.variant = "f32 chunks of rows", .build = chunks});
  cases.push_back({.variant = "f32 weighed rows", .build = [](Trial& t) { weighed(t, 97, 128, {}); }});
  cases.push_back({.variant = "f32 weighed rows, all terms", .build = [](Trial& t) {
                     weighed(t, 65, 128, {.softcap = 8, .label_smoothing = 0.1, .z_loss = 0.01});
                   }});
  cases.push_back({.variant = "f32 extreme logits", .build = extremes});
  cases.push_back({.variant = "f32 nan", .build = nan_reaches_the_loss});
  cases.push_back({.variant = "f32 mean of nothing", .build = mean_of_nothing});
  for (const bool is_scaled : {false, true}) {
    cases.push_back({.variant = vkgpt::format("f16 small gradients{}", is_scaled ? " scaled" : ""),
                     .dtype = DType::kF16,
                     .build = [=](Trial& t) { small_gradients(t, is_scaled); }});
  }
  cases.push_back({.variant = "f16 gradients between numbers",
                   .dtype = DType::kF16,
                   .quick = true,
                   .devices = {{}, {.name = "as a GPU", .is_gpu = true}},
                   .build = gradients_between});
  return cases;
}

}  // namespace vkgpt::check
