#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "vkgpt/ops/step_params.hpp"
#include "vkgpt/plan/executor.hpp"
#include "vkgpt/plan/plan_builder.hpp"
#include "vkgpt/plan/tensor_store.hpp"

namespace vkgpt::check {

/// Runs what an op appends to a plan: declare tensors, call the op on `builder()`, `run()`, look at the
/// results. Each tensor lies between guard words (NaN), and outputs and arenas start as NaN: an element that
/// was not written, or one read from outside, shows. Or nothing lies behind a tensor, which ends its buffer.
///   GuardedRun run(context, context.target());
///   const plan::Tensor x = run.input({3, 5}, values), y = run.output({3, 5});
///   ops::activation_forward(run.builder(), ops::Activation::kGelu, x, y);
///   if (const std::string written = run.run(); !written.empty()) ...
///   compare(run.floats(y), ...);
class GuardedRun {
 public:
  /// `target` may differ from the device's, so that other paths of an op are taken.
  GuardedRun(vk::Context& context, const vk::Target& target, bool guards_ends = true);

  plan::PlanBuilder& builder() { return *builder_; }

  /// f32, or rounded to f16 or bf16.
  plan::Tensor input(Shape shape, std::span<const float> values, DType dtype = DType::kF32);
  plan::Tensor input(Shape shape, std::span<const std::int32_t> values);
  plan::Tensor input(Shape shape, std::span<const std::uint32_t> values);
  /// As many of `values` as it takes, over and over.
  plan::Tensor repeated(Shape shape, std::span<const float> values, DType dtype = DType::kF32);
  plan::Tensor output(Shape shape, DType dtype = DType::kF32);

  /// The finished plan: nothing can be appended any more.
  const plan::Plan& plan();
  /// Replays everything that was appended. May be called again: tensors keep what the last run left, or take
  /// new values. Gives what was written outside of tensors, in words; empty is good.
  std::string run(const ops::StepParams& step = {});
  void set(const plan::Tensor& t, std::span<const float> values);
  /// Every tensor as it was declared; those that the op declared, but constants, zero.
  void reset();

  /// Values of an f32, f16 or bf16 tensor.
  std::vector<float> floats(const plan::Tensor& t) const;
  /// Bits; of 16-bit elements two in a word, the first one low.
  std::vector<std::uint32_t> words(const plan::Tensor& t) const;
  /// The first words of a persistent tensor that the op declared.
  std::vector<std::uint32_t> persistent_words(std::string_view name, std::size_t count) const;
  /// A readback tensor that was declared on the builder.
  std::vector<float> readback(std::string_view name) const;

  /// For measurements: the plan with the dispatches of each segment `repeats` times, ready to run with
  /// `step`.
  plan::Executor& executor(int repeats, const ops::StepParams& step = {});

 private:
  struct Guarded {
    std::string name;
    DType dtype;
    std::size_t elements;
    std::vector<std::uint32_t> initial;  // without guards; repeats where it is shorter than the tensor

    std::size_t words() const;
    bool ends_in_half_a_word() const { return dtype_size(dtype) == 2 && elements % 2 == 1; }
  };

  std::size_t guards_behind() const;
  plan::Tensor declare(Shape shape, DType dtype, std::vector<std::uint32_t> initial);
  const Guarded& guarded(const plan::Tensor& t) const;
  /// Lets each binding end in the guards behind it: drivers drop what a kernel writes past a bound range.
  void bind_guards(plan::Plan& plan) const;
  void prepare();
  void set_params(const ops::StepParams& step);
  std::string violated_guards() const;
  void upload(const Guarded& tensor, std::span<const std::uint32_t> words);
  std::vector<std::uint32_t> download_all(const Guarded& tensor) const;

  vk::Context& context_;
  bool guards_ends_;
  std::optional<plan::PlanBuilder> builder_;
  std::optional<plan::Plan> plan_;
  std::map<plan::TensorId, Guarded> tensors_;
  bool uses_step_params_ = false;
  std::unique_ptr<plan::TensorStore> store_;
  std::unique_ptr<plan::Executor> executor_;
};

}  // namespace vkgpt::check
