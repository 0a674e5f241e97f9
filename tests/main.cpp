#include <gtest/gtest.h>

#include "gpu_context.hpp"

int main(int argc, char** argv) {
  testing::InitGoogleTest(&argc, argv);
  vkgpt::test::watch_shared_context();
  return RUN_ALL_TESTS();
}
