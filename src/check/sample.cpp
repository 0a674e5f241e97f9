#include "vkgpt/ops/sample.hpp"

#include <algorithm>
#include <array>
#include <bit>
#include <cmath>
#include <optional>
#include <utility>

#include "vkgpt/check/op_table.hpp"
#include "vkgpt/core/format.hpp"
#include "vkgpt/core/rng.hpp"

namespace vkgpt::check {
namespace {

/// How far the kernel's intervals, and its sums beside top_p, may be from the definition's, as a part of 1.
constexpr double kTolerance = 1e-6;

struct Wish {
  double temperature = 1;
  std::uint32_t top_k = 0;
  double top_p = 1;
};

struct Candidate {
  std::uint32_t token = 0;
  double logit = 0;
  double weight = 0;
};

/// What top_k and top_p leave of logits (V), in the order of tokens.
std::vector<Candidate> candidates(View logits, const Wish& wish) {
  std::vector<Candidate> all;
  const double largest = *std::ranges::max_element(logits);
  for (std::uint32_t token = 0; token < logits.size(); ++token) {
    const double logit = logits[token];
    all.push_back({token, logit, std::exp((logit - largest) / wish.temperature)});
  }
  std::ranges::stable_sort(all, std::greater<>(), &Candidate::logit);
  std::size_t count = all.size();
  if (wish.top_k > 0 && wish.top_k < count) {
    count = wish.top_k;
    while (count < all.size() && all[count].logit == all[wish.top_k - 1].logit) ++count;
    all.resize(count);
  }
  double total = 0, before = 0;
  for (const Candidate& each : all) total += each.weight;
  for (count = 0; count < all.size(); ++count) {
    if (count > 0 && wish.top_p < 1 && before >= wish.top_p * total) break;
    before += all[count].weight;
  }
  all.resize(count);
  std::ranges::sort(all, {}, &Candidate::token);
  return all;
}

/// The candidate in whose interval `place` of [0, 1) lies.
std::uint32_t candidate_at(std::span<const Candidate> all, double place) {
  double total = 0, through = 0;
  for (const Candidate& each : all) total += each.weight;
  for (const Candidate& each : all) {
    through += each.weight;
    if (each.weight > 0 && through > place * total) return each.token;
  }
  return all.back().token;
}

/// The definition for one row, within the tolerance.
class SampleDefinition {
 public:
  SampleDefinition(View logits, const Wish& wish) {
    if (wish.temperature == 0) {
      greedy_ = static_cast<std::uint32_t>(std::ranges::max_element(logits) - logits.begin());
      return;
    }
    for (const double shift : {-kTolerance, kTolerance}) {
      Wish shifted = wish;
      if (wish.top_p < 1) shifted.top_p *= 1 + shift;
      sets_.push_back(candidates(logits, shifted));
    }
  }

  /// The token that is drawn, unless something is closer to a border than the tolerance.
  std::optional<std::uint32_t> token(double place) const {
    if (greedy_) return greedy_;
    std::optional<std::uint32_t> token;
    for (const std::vector<Candidate>& set : sets_) {
      for (const double beside : {-kTolerance, kTolerance}) {
        const std::uint32_t found = candidate_at(set, std::clamp(place + beside, 0.0, 1.0 - 1e-12));
        if (token && *token != found) return std::nullopt;
        token = found;
      }
    }
    return token;
  }

 private:
  std::optional<std::uint32_t> greedy_;
  std::vector<std::vector<Candidate>> sets_;  // of top_p moved both ways
};

ops::SampleControl control_of(const Wish& wish, std::uint32_t tokens, std::uint64_t random) {
  return {.tokens = tokens,
          .inverse_temperature = wish.temperature == 0 ? 0.0F : static_cast<float>(1 / wish.temperature),
          .top_k = wish.top_k,
          .top_p = wish.top_p < 1 ? static_cast<std::uint32_t>(std::lround(wish.top_p * 0x1p32)) : 0,
          .random_low = static_cast<std::uint32_t>(random),
          .random_high = static_cast<std::uint32_t>(random >> 32U)};
}

/// The rows of an op and what must come out.
struct Rows {
  std::int64_t V = 0, Vp = 0;
  std::vector<float> logits = {};
  std::vector<std::uint32_t> controls = {};
  std::vector<float> expected = {};  // token and status, as bits

  void add(std::vector<float> row, const ops::SampleControl& control, std::uint32_t token,
           ops::SampleStatus status = ops::SampleStatus::kDrawn) {
    row.resize(static_cast<std::size_t>(Vp), 1000.0F);  // padding that must not be drawn
    logits.insert(logits.end(), row.begin(), row.end());
    const auto words = std::bit_cast<std::array<std::uint32_t, ops::kSampleControlWords>>(control);
    controls.insert(controls.end(), words.begin(), words.end());
    expected.push_back(std::bit_cast<float>(token));
    expected.push_back(std::bit_cast<float>(status));
  }
  std::int64_t count() const { return std::ssize(logits) / Vp; }
  void check(Trial& t) const {
    const plan::Tensor drawn = t.output({count(), 2}, DType::kU32);
    ops::sample(t.builder(), {.logits = t.input({count(), Vp}, logits),
                              .controls = t.input({count(), ops::kSampleControlWords}, controls),
                              .drawn = drawn,
                              .V = V});
    t.expect_exactly("drawn", drawn, expected);
  }
};

constexpr Wish kWishes[] = {
    {.temperature = 0},
    {.temperature = 1},
    {.temperature = 0.7},
    {.temperature = 1e6},
    {.temperature = 1e-9},
    {.temperature = 0.8, .top_k = 1},
    {.temperature = 1, .top_k = 5},
    {.temperature = 1.3, .top_k = 50},
    {.temperature = 1, .top_k = 1 << 24},
    {.temperature = 0.8, .top_p = 0.9},
    {.temperature = 2, .top_p = 0.99},
    {.temperature = 1, .top_p = 1e-6},
    {.temperature = 1, .top_k = 40, .top_p = 0.6},
    {.temperature = 20, .top_k = 300, .top_p = 0.5},
};

/// Every wish for rows of different logits and for rows with many ties.
void draws(Trial& t, std::int64_t V, std::int64_t Vp) {
  Rows rows{.V = V, .Vp = Vp};
  RngReader random({.seed = 7, .purpose = RngPurpose::kSampling});
  const std::vector<float> steps = V > 60000 ? std::vector{0.5F} : std::vector{0.0F, 0.5F, 8.0F};
  for (const float step : steps) {
    for (const Wish& wish : kWishes) {
      std::vector<float> row =
          random_floats(static_cast<std::size_t>(V), 1 + static_cast<std::uint64_t>(rows.count()), 8.0F);
      if (step > 0) {
        for (float& logit : row) logit = std::round(logit / step) * step;
      }
      const SampleDefinition definition(to_double(row), wish);
      std::optional<std::uint32_t> token;
      std::uint64_t bits = 0;
      for (int trial = 0; trial < 16 && !token; ++trial) {
        bits = random.next_u64();
        token = definition.token(static_cast<double>(bits >> 11U) * 0x1p-53);
      }
      if (token) rows.add(std::move(row), control_of(wish, static_cast<std::uint32_t>(V), bits), *token);
    }
  }
  rows.check(t);
}

/// Logits of which nothing, or one token, can be drawn, and rows that draw from fewer tokens.
void limits(Trial& t) {
  constexpr std::uint32_t V = 300;
  using enum ops::SampleStatus;
  Rows rows{.V = V, .Vp = 320};
  const std::vector<float> zeros(V), nothing(V, -kInfinity);
  const auto with = [](std::vector<float> row, std::size_t at, float logit) {
    row[at] = logit;
    return row;
  };
  for (const Wish& wish : {kWishes[0], kWishes[1], kWishes[6], kWishes[9], kWishes[12]}) {
    const ops::SampleControl control = control_of(wish, V, 0x8123456789abcdefU);
    ops::SampleControl fewer = control, none = control, last = control;
    fewer.tokens = 100;
    none.tokens = 0;
    last.random_low = last.random_high = ~0U;
    rows.add(with(zeros, 299, kNaN), control, 0, kNotFinite);
    rows.add(with(zeros, 0, kInfinity), control, 0, kNotFinite);
    rows.add(with(nothing, 7, -kNaN), control, 0, kNotFinite);
    rows.add(nothing, control, 0, kNoneLeft);
    rows.add(zeros, none, 0, kNoneLeft);
    rows.add(with(nothing, 299, -3e38F), control, 299);
    rows.add(with(nothing, 0, -0.0F), last, 0);
    rows.add(with(with(nothing, 99, 2.0F), 100, 90.0F), fewer, 99);
    rows.add(with(with(nothing, 99, 2.0F), 100, kNaN), fewer, 99);
    rows.add(with(std::vector<float>(V, -3e38F), 150, 3e38F), last, 150);
    if (wish.temperature == 0) {
      rows.add(with(with(zeros, 2, -0.0F), 5, 1e-30F), control, 5);
      rows.add(with(with(nothing, 2, -0.0F), 5, 0.0F), control, 2);
    } else {
      rows.add(with(with(nothing, 2, -0.0F), 5, 0.0F), last, 5);
    }
  }
  rows.check(t);
}

/// The same drawn many times: rows of 50257 tokens of a step.
void timed(Trial& t, std::int64_t count) {
  constexpr std::int64_t V = 50257, Vp = 50304;
  const Operand logits = t.random({count, Vp}, 1, 8.0F);
  constexpr std::pair<const char*, Wish> kTimed[] = {{"greedy", {.temperature = 0}},
                                                     {"temperature", {.temperature = 0.8}},
                                                     {"top_k 50", {.temperature = 0.8, .top_k = 50}},
                                                     {"top_p 0.9", {.temperature = 0.8, .top_p = 0.9}}};
  for (const auto& [name, wish] : kTimed) {
    std::vector<std::uint32_t> controls;
    for (std::int64_t row = 0; row < count; ++row) {
      const auto words = std::bit_cast<std::array<std::uint32_t, ops::kSampleControlWords>>(
          control_of(wish, V, 0x9e3779b97f4a7c15U * static_cast<std::uint64_t>(row + 1)));
      controls.insert(controls.end(), words.begin(), words.end());
    }
    t.pass(name);
    ops::sample(t.builder(), {.logits = logits,
                              .controls = t.input({count, ops::kSampleControlWords}, controls),
                              .drawn = t.output({count, 2}, DType::kU32),
                              .V = V});
  }
}

}  // namespace

std::vector<Case> sample_cases() {
  const std::vector<Device> devices = {
      {}, {.name = "as a GPU", .is_gpu = true}, {.name = "3 workgroups in x", .max_groups = 3}};
  std::vector<Case> cases;
  for (const auto& [V, Vp] : std::initializer_list<std::pair<std::int64_t, std::int64_t>>{
           {1, 4}, {2, 64}, {257, 320}, {1025, 1088}, {50257, 50304}, {131101, 131136}}) {
    Case each{.variant = vkgpt::format("f32 {} tokens", V),
              .quick = V == 1025,
              .devices = devices,
              .build = [V, Vp](Trial& t) { draws(t, V, Vp); }};
    if (V == 50257) {
      each.timed = [](Trial& t, const Workload&) { timed(t, 8); };
    }
    cases.push_back(std::move(each));
  }
  cases.push_back({.variant = "f32 limits", .quick = true, .devices = devices, .build = limits});
  return cases;
}

}  // namespace vkgpt::check
