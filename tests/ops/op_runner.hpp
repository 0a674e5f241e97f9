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

namespace vkgpt::test {

/// A stand-in for the device's limits, so that every code path of an op runs on the one driver at hand.
struct CapsVariant {
  const char* name;
  vk::DeviceCaps caps;
};

/// The shared device as it is; the same taken for a GPU (workgroups of several subgroups); and one that binds
/// no more than `sliced_bytes` at once.
std::vector<CapsVariant> caps_variants(std::uint64_t sliced_bytes);

/// The same and, for ops whose grids all fold, a device that dispatches only 3 workgroups in x.
std::vector<CapsVariant> caps_variants_folded(std::uint64_t sliced_bytes);

/// `values` as f32, f16 or bf16 hold them.
std::vector<float> rounded(std::span<const float> values, DType dtype);

/// Runs what an op appends to a plan on the shared device: declare tensors, call the op on `builder()`,
/// `run()`, look at the results. Each tensor lies between guard words (NaN), and outputs and arenas start as
/// NaN: an element that was not written, or one read from outside, shows. A changed guard fails the test.
///   OpRunner runner;
///   const plan::Tensor x = runner.input({3, 5}, values), y = runner.output({3, 5});
///   ops::activation_forward(runner.builder(), x, y);
///   runner.run();
///   reference::expect_close(runner.floats(y), expected);
class OpRunner {
 public:
  OpRunner();
  explicit OpRunner(const vk::DeviceCaps& caps);

  plan::PlanBuilder& builder() { return *builder_; }

  /// f32, or rounded to f16 or bf16.
  plan::Tensor input(Shape shape, std::span<const float> values, DType dtype = DType::kF32);
  plan::Tensor input(Shape shape, std::span<const std::int32_t> values);
  plan::Tensor input(Shape shape, std::span<const std::uint32_t> values);
  plan::Tensor output(Shape shape, DType dtype = DType::kF32);

  /// Replays everything that was appended, and checks the guards. May be called again: tensors keep what the
  /// last run left, or take new values.
  void run(const ops::StepParams& step = {});
  void set(const plan::Tensor& t, std::span<const float> values);

  /// Values of an f32, f16 or bf16 tensor.
  std::vector<float> floats(const plan::Tensor& t) const;
  /// Bits; of 16-bit elements two in a word, the first one low.
  std::vector<std::uint32_t> words(const plan::Tensor& t) const;
  /// The first words of a persistent tensor that the op declared.
  std::vector<std::uint32_t> persistent_words(std::string_view name, std::size_t count) const;
  /// A readback tensor that the test declared on the builder.
  std::vector<float> readback(std::string_view name) const;

  /// Eager times of each dispatch in the order of the plan, for benchmarks.
  std::vector<plan::DispatchTime> time();

 private:
  struct Guarded {
    std::string name;
    DType dtype;
    std::size_t elements;
    std::vector<std::uint32_t> initial;  // without guards
  };

  plan::Tensor declare(Shape shape, DType dtype, std::vector<std::uint32_t> initial);
  const Guarded& guarded(const plan::Tensor& t) const;
  void prepare();
  void check_guards() const;
  void upload(const Guarded& tensor, std::span<const std::uint32_t> words);
  std::vector<std::uint32_t> download_all(const Guarded& tensor) const;

  std::optional<plan::PlanBuilder> builder_;
  std::map<plan::TensorId, Guarded> tensors_;
  bool uses_step_params_ = false;
  std::unique_ptr<plan::TensorStore> store_;
  std::unique_ptr<plan::Executor> executor_;
};

}  // namespace vkgpt::test
