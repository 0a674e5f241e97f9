#include "vkgpt/ops/preference_loss.hpp"

#include <cmath>

#include "vkgpt/check/op_table.hpp"
#include "vkgpt/core/format.hpp"

namespace vkgpt::check {
namespace {

struct PairsSize {
  std::int64_t rows, pairs;
  double beta, smoothing;
};

/// As TRL's DPOTrainer has it with loss_type "sigmoid".
struct LossDefinition {
  Vector scores, losses, counted, sums, weights;
};

double log_sigmoid(double x) {
  return x >= 0 ? -std::log1p(std::exp(-x)) : x - std::log1p(std::exp(x));
}

LossDefinition define(const PairsSize& s, View losses, const std::vector<std::int32_t>& pairs, View reference,
                      View before, View weights) {
  LossDefinition d{.scores = {},
                   .losses = {},
                   .counted = {},
                   .sums = {before.begin(), before.end()},
                   .weights = {weights.begin(), weights.end()}};
  for (std::size_t p = 0; p < static_cast<std::size_t>(s.pairs); ++p) {
    const auto bound = [&](std::size_t i) { return static_cast<std::size_t>(pairs[4 * p + i]); };
    const auto score = [&](std::size_t begin, std::size_t end) {
      double sum = 0;
      for (std::size_t row = begin; row < end; ++row) sum -= losses[row];
      return sum;
    };
    const bool is_pair = bound(1) > bound(0) && bound(3) > bound(2);
    const double chosen = is_pair ? score(bound(0), bound(1)) : 0,
                 rejected = is_pair ? score(bound(2), bound(3)) : 0;
    d.scores.insert(d.scores.end(), {chosen, rejected});
    d.counted.push_back(is_pair ? 0 : -1);
    const double logits = (chosen - rejected) - (reference[2 * p] - reference[2 * p + 1]);
    const double h = s.beta * logits;
    d.losses.push_back(is_pair ? -log_sigmoid(h) * (1 - s.smoothing) - log_sigmoid(-h) * s.smoothing : 0.0);
    if (!is_pair) continue;
    d.sums[0] += s.beta * (chosen - reference[2 * p]);
    d.sums[1] += s.beta * (rejected - reference[2 * p + 1]);
    d.sums[2] += chosen - reference[2 * p] > rejected - reference[2 * p + 1] ? 1 : 0;
    d.sums[3] += 1;
    // d loss / d chosen by the chain rule; the rows' losses are -log p.
    const double slope =
        -s.beta * ((1 - s.smoothing) * std::exp(log_sigmoid(-h)) - s.smoothing * std::exp(log_sigmoid(h)));
    for (std::size_t row = bound(0); row < bound(1); ++row) d.weights[row] = -slope;
    for (std::size_t row = bound(2); row < bound(3); ++row) d.weights[row] = slope;
  }
  return d;
}

/// Stretches of different lengths one after the other, some of no pair, rows between that belong to none.
std::vector<std::int32_t> stretches(const PairsSize& s) {
  std::vector<std::int32_t> pairs;
  const auto each = static_cast<std::int32_t>(s.rows / s.pairs);
  for (std::int32_t p = 0; p < static_cast<std::int32_t>(s.pairs); ++p) {
    const std::int32_t begin = p * each, middle = begin + 1 + p % (each - 1);
    if (p % 5 == 3) {
      pairs.insert(pairs.end(), {0, 0, 0, 0});
    } else {
      pairs.insert(pairs.end(), {begin, middle, middle, begin + each - (each > 3 && p % 2 == 1 ? 1 : 0)});
    }
  }
  return pairs;
}

void both(Trial& t, const PairsSize& s, float scale) {
  const Operand losses = t.random({s.rows}, 1, scale), reference = t.random({s.pairs, 2}, 2, 3.0F);
  const std::vector<std::int32_t> rows = stretches(s);
  const plan::Tensor pairs = t.input({s.pairs, 4}, rows);
  const Operand sums = t.random({4}, 3), kept = t.random({s.rows}, 4), other = t.random({4}, 5);
  const auto write = [&](const Operand& into, const std::optional<plan::Tensor>& weights) {
    ops::PreferenceLoss args{.losses = losses,
                             .pairs = pairs,
                             .reference = reference,
                             .scores = t.output({s.pairs, 2}),
                             .pair_losses = t.output({s.pairs}),
                             .counted = t.output({s.pairs}, DType::kI32),
                             .sums = into,
                             .weights = weights,
                             .beta = s.beta,
                             .label_smoothing = s.smoothing};
    ops::preference_loss(t.builder(), args);
    return args;
  };
  const ops::PreferenceLoss train = write(sums, kept), evaluation = write(other, std::nullopt);
  if (t.is_timed()) return;
  for (const auto& [args, before] : {std::pair{train, &sums}, std::pair{evaluation, &other}}) {
    const LossDefinition d = define(s, losses, rows, reference, *before, kept);
    t.expect_near("scores", args.scores, d.scores, 1e-5, 1e-5);
    t.expect_near("losses", args.pair_losses, d.losses, 1e-5, 1e-5);
    t.expect_near("sums", args.sums, d.sums, 1e-5, 1e-5);
    if (args.weights) t.expect_near("weights", *args.weights, d.weights, 1e-4, 1e-6);
  }
}

}  // namespace

std::vector<Case> preference_loss_cases() {
  std::vector<Case> cases;
  for (const PairsSize& s : {PairsSize{7, 1, 0.1, 0}, PairsSize{300, 9, 0.1, 0},
                             PairsSize{1200, 11, 0.5, 0.2}, PairsSize{64, 32, 2, 0.5}}) {
    cases.push_back({.variant = vkgpt::format("{} pairs in {} rows, beta {}, smoothing {}", s.pairs, s.rows,
                                              s.beta, s.smoothing),
                     .quick = s.pairs == 9,
                     .build = [=](Trial& t) { both(t, s, 1.0F); }});
  }
  // Differences at which exp overflows.
  cases.push_back({.variant = "far apart", .build = [](Trial& t) { both(t, {600, 6, 10, 0.1}, 40.0F); }});
  return cases;
}

}  // namespace vkgpt::check
