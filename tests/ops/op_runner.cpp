#include "ops/op_runner.hpp"

#include <string>

#include <gtest/gtest.h>

#include "gpu_context.hpp"

namespace vkgpt::test {

OpRunner::OpRunner() : OpRunner(shared_context().target()) {}

OpRunner::OpRunner(const vk::Target& target) : GuardedRun(shared_context(), target) {}

void OpRunner::run(const ops::StepParams& step) {
  if (const std::string written = GuardedRun::run(step); !written.empty()) ADD_FAILURE() << written;
}

}  // namespace vkgpt::test
