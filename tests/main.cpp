#include <cstdlib>
#include <string>

#include <gtest/gtest.h>

#include "check/op_cases.hpp"
#include "gpu_context.hpp"

namespace {

/// Programs that tests start with a cache folder of their own take compiled kernels from the usual one.
void share_compiled_kernels() {
  if (const char* cache = std::getenv("XDG_CACHE_HOME"); cache != nullptr && cache[0] == '/') {
    setenv("MESA_SHADER_CACHE_DIR", cache, 0);
  } else if (const char* home = std::getenv("HOME")) {
    setenv("MESA_SHADER_CACHE_DIR", (std::string(home) + "/.cache").c_str(), 0);
  }
}

}  // namespace

int main(int argc, char** argv) {
  // Mesa's driver for CPUs at the width at which it has matrices; tools/test.sh runs the kernels at 512 bits
  // too.
  setenv("LP_NATIVE_VECTOR_WIDTH", "256", 0);
  share_compiled_kernels();
  testing::InitGoogleTest(&argc, argv);
  vkgpt::test::watch_shared_context();
  vkgpt::check::register_op_cases();
  const int result = RUN_ALL_TESTS();
  vkgpt::test::close_shared_context();
  return result;
}
