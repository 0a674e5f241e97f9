#pragma once

#include <cstdint>
#include <deque>
#include <string>
#include <vector>

#include "vkgpt/core/dtype.hpp"
#include "vkgpt/ops/step_params.hpp"

#include "reference/guarded_run.hpp"
#include "reference/matmul.hpp"

// The cases of 'vkgpt selftest'. Each is an op over small tensors and what must come out of it; between them
// they have every kernel of a training step and of decoding, with tails and without.

namespace vkgpt::cli {

/// An output and what it must be.
struct Expectation {
  plan::Tensor tensor;
  reference::Vector values;
  double bound;  // of the NMSE
};

/// One op: its tensors, and what must come out of them.
struct OpCase : reference::GuardedRun {
  OpCase(vk::Context& context, const vk::Target& target, std::string text)
      : GuardedRun(context, target), variant(std::move(text)) {}

  void expect(const plan::Tensor& tensor, reference::Vector values, double bound) {
    expected.push_back({tensor, std::move(values), bound});
  }

  std::string variant;
  ops::StepParams step = {};
  std::vector<Expectation> expected;
};

/// Collects the cases of one op.
class CaseList {
 public:
  CaseList(vk::Context& context, vk::Target target) : context_(context), target_(std::move(target)) {}

  /// A new case; the reference stays good.
  OpCase& add(std::string variant) { return cases_.emplace_back(context_, target_, std::move(variant)); }
  /// f32 and, where the device stores them, f16 and bf16.
  std::vector<DType> dtypes() const;
  std::deque<OpCase>& cases() { return cases_; }

 private:
  vk::Context& context_;
  vk::Target target_;
  std::deque<OpCase> cases_;
};

/// Of an output that is rounded once from fp32: that of fp32 sums, or the square of half a unit in the last
/// place, 2^-11 or 2^-8, with room for another order of summation.
double rounding_bound(DType dtype);

void embedding_cases(CaseList& list);
void norm_cases(CaseList& list);
void qk_norm_cases(CaseList& list);
void rope_cases(CaseList& list);
void activation_cases(CaseList& list);
void elementwise_cases(CaseList& list);
void dropout_cases(CaseList& list);
void cross_entropy_cases(CaseList& list);
void gradient_cases(CaseList& list);
void optimizer_cases(CaseList& list);
void matmul_cases(CaseList& list);
void attention_cases(CaseList& list);

}  // namespace vkgpt::cli
