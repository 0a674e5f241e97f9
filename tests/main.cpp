#include <cstdlib>

#include <gtest/gtest.h>

#include "check/op_cases.hpp"
#include "gpu_context.hpp"

int main(int argc, char** argv) {
  // Mesa's driver for CPUs at the width at which it has matrices; tools/test.sh runs the kernels at 512 bits
  // too.
  setenv("LP_NATIVE_VECTOR_WIDTH", "256", 0);
  testing::InitGoogleTest(&argc, argv);
  vkgpt::test::watch_shared_context();
  vkgpt::check::register_op_cases();
  const int result = RUN_ALL_TESTS();
  vkgpt::test::close_shared_context();
  return result;
}
