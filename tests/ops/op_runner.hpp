#pragma once

#include <cstdint>
#include <vector>

#include "vkgpt/vk/target.hpp"

#include "reference/guarded_run.hpp"

namespace vkgpt::test {

/// A stand-in for the device's limits, so that every code path of an op runs on the one driver at hand.
struct CapsVariant {
  const char* name;
  vk::DeviceCaps caps;
  vk::KernelChoices kernels = {};

  vk::Target target() const { return {caps, kernels}; }
};

/// The shared device as it is; the same taken for a GPU (workgroups of several subgroups); and one that binds
/// no more than `sliced_bytes` at once.
std::vector<CapsVariant> caps_variants(std::uint64_t sliced_bytes);

/// The same and, for ops whose grids all fold, a device that dispatches only 3 workgroups in x.
std::vector<CapsVariant> caps_variants_folded(std::uint64_t sliced_bytes);

using reference::rounded;

/// A `GuardedRun` on the shared device; something written outside of tensors fails the test.
///   OpRunner runner;
///   const plan::Tensor x = runner.input({3, 5}, values), y = runner.output({3, 5});
///   ops::activation_forward(runner.builder(), x, y);
///   runner.run();
///   reference::expect_close(runner.floats(y), expected);
class OpRunner : public reference::GuardedRun {
 public:
  OpRunner();
  explicit OpRunner(const vk::Target& target);
  explicit OpRunner(const vk::DeviceCaps& caps) : OpRunner(vk::Target{caps}) {}

  void run(const ops::StepParams& step = {});
};

}  // namespace vkgpt::test
