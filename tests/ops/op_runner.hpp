#pragma once

#include "vkgpt/check/guarded_run.hpp"

namespace vkgpt::test {

/// A `GuardedRun` on the shared device; something written outside of tensors fails the test.
///   OpRunner runner;
///   const plan::Tensor x = runner.input({3, 5}, values), y = runner.output({3, 5});
///   ops::activation_forward(runner.builder(), x, y);
///   runner.run();
///   check::expect_close(runner.floats(y), expected);
class OpRunner : public check::GuardedRun {
 public:
  OpRunner();
  explicit OpRunner(const vk::Target& target);

  void run(const ops::StepParams& step = {});
};

}  // namespace vkgpt::test
