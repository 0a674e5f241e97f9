#include "vkgpt/vk/glsl_support.hpp"

#include <gtest/gtest.h>

#include "vkgpt/core/check.hpp"
#include "vkgpt/vk/shader_compiler.hpp"

namespace vkgpt::vk {
namespace {

TEST(GlslSupport, OfBfloat16IsWhatACompilationShows) {
  constexpr auto kText =
      "#version 460\n"
      "#extension GL_EXT_bfloat16 : require\n"
      "layout(local_size_x = 1) in;\n"
      "void main() {}\n";
  ShaderCompiler compiler({});
  const auto compile = [&] { compiler.compile_text("bfloat16", kText, {}); };
  if (compiles_bfloat16()) {
    EXPECT_NO_THROW(compile());
  } else {
    EXPECT_THROW(compile(), CheckFailure);
  }
}

}  // namespace
}  // namespace vkgpt::vk
