#pragma once

#include <cstdint>
#include <functional>
#include <span>
#include <string>
#include <vector>

#include "vkgpt/check/guarded_run.hpp"
#include "vkgpt/check/numbers.hpp"
#include "vkgpt/ops/weight.hpp"

namespace vkgpt::check {

/// A tensor and the values that it starts with, as its type holds them.
struct Operand {
  plan::Tensor tensor;
  Vector values;

  operator const plan::Tensor&() const { return tensor; }
  operator ops::Weight() const { return {tensor}; }
  operator View() const { return values; }
};

/// How an output is compared with its definition.
enum class Measure {
  kNmse,   // sum of squared errors over that of squared values, at most `bound`
  kNear,   // each element within bound * |value| + absolute
  kExact,  // each element equal, or both NaN
  kKept,   // the bits from before the replay
};

/// One output of an op, and the values that it must have.
struct Expectation {
  std::string name;  // as the op's documentation calls it: "dx"
  plan::Tensor tensor;
  Measure measure = Measure::kNmse;
  Vector values = {};
  double bound = 0;
  double absolute = 0;
  std::vector<std::size_t> at = {};  // the elements that are compared; empty = all
};

/// One replay of the op's plan.
struct Replay {
  ops::StepParams params = {};
  std::vector<std::pair<plan::Tensor, std::vector<float>>> puts = {};
  std::vector<Expectation> expectations = {};
};

/// A trial is a proof, or the same work at a real size that is only timed: then random tensors repeat a short
/// pattern and have no values here, and what is expected is not kept. Or it is a proof in which every tensor
/// ends its buffer, for memory that tells what is read behind it.
enum class Purpose { kProof, kTiming, kProofOfEnds };

/// A part of a trial that is timed by itself.
struct Pass {
  std::string name;        // of its segment in the plan
  std::int64_t flops = 0;  // 0 = what its dispatches say
};

/// An op with small tensors around it, and the values that must come out.
class Trial : public GuardedRun {
 public:
  Trial(vk::Context& context, const vk::Target& target, Purpose purpose = Purpose::kProof)
      : GuardedRun(context, target, purpose != Purpose::kProofOfEnds), purpose_(purpose) {}

  /// Whether the values that are to come out are of no interest.
  bool is_timed() const { return purpose_ == Purpose::kTiming; }
  /// Names what is appended from here on, for timings.
  void pass(std::string name, std::int64_t flops = 0);
  const std::vector<Pass>& passes() const { return passes_; }

  /// f32, rounded to 16 bits, or as u32 the bits of `values`.
  Operand given(Shape shape, std::span<const float> values, DType dtype = DType::kF32);
  /// Uniform in [-scale, scale).
  Operand random(Shape shape, std::uint64_t seed, float scale = 1.0F, DType dtype = DType::kF32);
  Operand zeros(Shape shape, DType dtype = DType::kF32);
  /// What an op sums into: random numbers that it adds to, or discarded NaNs, whose values are zeros here.
  Operand sum_target(Shape shape, std::uint64_t seed, bool is_discarded);

  /// Begins a replay: what follows belongs to it. Tensors keep what the replay before left. A case that has
  /// one replay without parameters need not call this.
  void replay(const ops::StepParams& params);
  /// Gives `t` other values before the replay.
  void put(const plan::Tensor& t, std::vector<float> values);
  /// The same for i32.
  void put(const plan::Tensor& t, const std::vector<std::int32_t>& values);

  void expect(std::string name, const plan::Tensor& t, Vector values, double bound,
              std::vector<std::size_t> at = {});
  void expect_near(std::string name, const plan::Tensor& t, Vector values, double relative,
                   double absolute = 0);
  void expect_exactly(std::string name, const plan::Tensor& t, std::span<const float> values,
                      std::vector<std::size_t> at = {});
  void expect_kept(std::string name, const plan::Tensor& t);

  const std::vector<Replay>& replays() const { return replays_; }

 private:
  Replay& current();
  void expect(Expectation expectation);

  Purpose purpose_;
  std::vector<Pass> passes_;
  std::vector<Replay> replays_;
};

/// What became of a trial.
struct Outcome {
  double error = 0;  // of the output that is worst beside its bound, by its own measure
  double bound = 0;
  std::string failure = {};  // in words; empty = passed
};

/// What a unit test may do to the values of an output before they are compared: plant an error.
using Perturbation = std::function<void(std::span<float>)>;

/// Replays the plan twice from the start: every output within its bound, nothing written outside of tensors,
/// the same bits the second time. An error of the driver is a
/// failure too, but for a lost device and missing memory, which are thrown.
Outcome run_trial(Trial& trial, const Perturbation& perturb = {});

}  // namespace vkgpt::check
