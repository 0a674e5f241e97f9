#include <gtest/gtest.h>

#include "ops/op_runner.hpp"

namespace vkgpt::check {
namespace {

/// What `GuardedRun` says of a kernel that fills `count` elements of a tensor of eight.
std::string fill_of_eight(std::uint32_t count) {
  test::OpRunner run;
  const plan::Tensor t = run.output({8});
  run.builder().dispatch(
      {.kernel = {.stem = "fill", .macros = plan::Macros{}.value("WIDTH", 1), .spec_constants = {64, 1}},
       .bindings = {plan::write(t)},
       .push = plan::PushWords{}.u32(count, 0)});
  return run.GuardedRun::run();
}

TEST(GpuGuardedRun, SeesAKernelThatWritesPastItsEnd) {
  EXPECT_EQ(fill_of_eight(8), "");
  EXPECT_EQ(fill_of_eight(9), "t0: word 8 of 8 was written");
}

}  // namespace
}  // namespace vkgpt::check
