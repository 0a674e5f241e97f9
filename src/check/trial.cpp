#include "vkgpt/check/trial.hpp"

#include <bit>
#include <cmath>
#include <utility>

#include "vkgpt/core/check.hpp"
#include "vkgpt/core/error.hpp"
#include "vkgpt/core/format.hpp"
#include "vkgpt/vk/result.hpp"

namespace vkgpt::check {
namespace {

using Words = std::vector<std::uint32_t>;

/// The elements `at`, or all.
template <typename T>
std::vector<T> select(const std::vector<T>& values, const std::vector<std::size_t>& at) {
  if (at.empty()) return values;
  std::vector<T> selected;
  for (const std::size_t i : at) selected.push_back(values[i]);
  return selected;
}

/// How far an element is from its value, in bounds of kNear.
double distance(double actual, double expected, const Expectation& e) {
  if (actual == expected) return 0;
  // Drivers may make an infinity of a NaN on its way: either says that a step is to be skipped.
  if (std::isnan(expected)) return is_finite(static_cast<float>(actual)) ? INFINITY : 0;
  const double allowed = e.bound * std::abs(expected) + e.absolute;
  const double share = std::abs(actual - expected) / allowed;
  return share >= 0 ? share : INFINITY;  // a NaN on one side, or no error allowed
}

/// The outcome of one output. `failure` names the worst element.
Outcome judge(const Expectation& e, const std::vector<float>& all) {
  const std::vector<float> actual = select(all, e.at);
  const Vector expected = select(e.values, e.at);
  VKGPT_CHECK(actual.size() == expected.size() && !actual.empty(), "{}: {} values for {}", e.name,
              expected.size(), actual.size());
  std::size_t worst = 0;
  double worst_distance = -1;
  for (std::size_t i = 0; i < actual.size(); ++i) {
    if (e.measure == Measure::kNmse && !is_finite(actual[i])) {
      return {INFINITY, e.bound,
              vkgpt::format("{}: element {} of {} is not finite", e.name, i, actual.size())};
    }
    const double d = e.measure == Measure::kNmse ? std::abs(double{actual[i]} - expected[i])
                                                 : distance(actual[i], expected[i], e);
    if (d > worst_distance) {
      worst_distance = d;
      worst = i;
    }
  }
  Outcome outcome{.bound = e.bound};
  const bool is_nmse = e.measure == Measure::kNmse;
  outcome.error = is_nmse ? nmse(actual, expected) : worst_distance * e.bound;
  const bool is_good =
      is_nmse ? outcome.error <= e.bound : worst_distance <= (e.measure == Measure::kNear ? 1.0 : 0.0);
  if (is_good) return outcome;
  if (!is_nmse && e.bound == 0) outcome.error = INFINITY;
  outcome.failure = vkgpt::format("{}: {} {:.2g} exceeds {:.2g}; worst is element {} of {}: {} instead of {}",
                                  e.name, is_nmse ? "NMSE" : "error", outcome.error, e.bound, worst,
                                  actual.size(), actual[worst], expected[worst]);
  return outcome;
}

/// Keeps the worst beside its bound, and the first failure.
void merge(Outcome& all, const Outcome& one) {
  const auto share = [](const Outcome& o) {
    return o.bound > 0 ? o.error / o.bound : o.error > 0 ? INFINITY : 0;
  };
  if (share(one) >= share(all)) {
    all.error = one.error;
    all.bound = one.bound;
  }
  if (all.failure.empty()) all.failure = one.failure;
}

/// Runs all replays once; gives the bits of every output after each.
std::vector<Words> run_once(Trial& trial, bool is_judged, const Perturbation& perturb, Outcome& outcome) {
  std::vector<Words> bits;
  for (const Replay& replay : trial.replays()) {
    for (const auto& [tensor, values] : replay.puts) trial.set(tensor, values);
    std::vector<Words> before;
    for (const Expectation& e : replay.expectations) {
      if (e.measure == Measure::kKept) before.push_back(trial.words(e.tensor));
    }
    const std::string written = trial.run(replay.params);
    if (!written.empty()) merge(outcome, {.failure = "wrote outside of its tensors: " + written});
    std::size_t kept = 0;
    for (const Expectation& e : replay.expectations) {
      bits.push_back(trial.words(e.tensor));
      if (!is_judged) continue;
      if (e.measure == Measure::kKept) {
        if (bits.back() != before[kept++]) merge(outcome, {.failure = e.name + " did not keep its bits"});
        continue;
      }
      std::vector<float> actual = trial.floats(e.tensor);
      if (perturb) perturb(actual);
      merge(outcome, judge(e, actual));
    }
  }
  return bits;
}

}  // namespace

Operand Trial::given(Shape shape, std::span<const float> values, DType dtype) {
  if (dtype == DType::kU32) {
    std::vector<std::uint32_t> words;
    for (const float value : values) words.push_back(std::bit_cast<std::uint32_t>(value));
    return {input(std::move(shape), words), to_double(values)};
  }
  return {input(std::move(shape), values, dtype), to_double(rounded(values, dtype))};
}

Operand Trial::random(Shape shape, std::uint64_t seed, float scale, DType dtype) {
  constexpr std::size_t kPattern = 1 << 16;
  if (is_timed()) return {repeated(std::move(shape), random_floats(kPattern, seed, scale), dtype), {}};
  const auto count = static_cast<std::size_t>(shape.numel());
  return given(std::move(shape), random_floats(count, seed, scale), dtype);
}

Operand Trial::zeros(Shape shape, DType dtype) {
  if (is_timed()) return {repeated(std::move(shape), std::vector{0.0F, 0.0F}, dtype), {}};
  const auto count = static_cast<std::size_t>(shape.numel());
  return given(std::move(shape), std::vector<float>(count), dtype);
}

Operand Trial::sum_target(Shape shape, std::uint64_t seed, bool is_discarded) {
  if (!is_discarded) return random(std::move(shape), seed);
  Operand target{output(shape), Vector(static_cast<std::size_t>(shape.numel()), 0.0)};
  builder().discard(target);
  return target;
}

void Trial::pass(std::string name, std::int64_t flops) {
  if (!is_timed()) return;
  builder().begin_segment(name);
  passes_.push_back({std::move(name), flops});
}

Replay& Trial::current() {
  if (replays_.empty()) replays_.emplace_back();
  return replays_.back();
}

void Trial::replay(const ops::StepParams& params) {
  replays_.push_back({.params = params});
}

void Trial::put(const plan::Tensor& t, std::vector<float> values) {
  current().puts.emplace_back(t, std::move(values));
}

void Trial::put(const plan::Tensor& t, const std::vector<std::int32_t>& values) {
  std::vector<float> bits;
  for (const std::int32_t value : values) bits.push_back(std::bit_cast<float>(value));
  put(t, std::move(bits));
}

void Trial::expect(Expectation expectation) {
  if (!is_timed()) current().expectations.push_back(std::move(expectation));
}

void Trial::expect(std::string name, const plan::Tensor& t, Vector values, double bound,
                   std::vector<std::size_t> at) {
  expect({std::move(name), t, Measure::kNmse, std::move(values), bound, 0, std::move(at)});
}

void Trial::expect_near(std::string name, const plan::Tensor& t, Vector values, double relative,
                        double absolute) {
  expect({std::move(name), t, Measure::kNear, std::move(values), relative, absolute});
}

void Trial::expect_exactly(std::string name, const plan::Tensor& t, std::span<const float> values,
                           std::vector<std::size_t> at) {
  expect({std::move(name), t, Measure::kExact, to_double(values), 0, 0, std::move(at)});
}

void Trial::expect_kept(std::string name, const plan::Tensor& t) {
  expect({.name = std::move(name), .tensor = t, .measure = Measure::kKept});
}

Outcome run_trial(Trial& trial, const Perturbation& perturb) {
  Outcome outcome;
  VKGPT_CHECK(!trial.replays().empty(), "a case expects nothing");
  try {
    const std::vector<Words> first = run_once(trial, true, perturb, outcome);
    trial.reset();
    if (run_once(trial, false, {}, outcome) != first) {
      merge(outcome, {.failure = "a second run gave other bits"});
    }
  } catch (const vk::DeviceLost&) {
    throw;
  } catch (const vk::OutOfMemory&) {
    throw;
  } catch (const Error& error) {
    outcome.failure = error.what();
  }
  return outcome;
}

}  // namespace vkgpt::check
