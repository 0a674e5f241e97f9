#include "vkgpt/vk/shader_compiler.hpp"

#include <filesystem>
#include <fstream>
#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "vkgpt/core/check.hpp"
#include "vkgpt/core/file.hpp"

#include "support/scoped_environment.hpp"
#include "support/temp_directory.hpp"

namespace vkgpt::vk {
namespace {

using Words = std::vector<std::uint32_t>;

constexpr const char* kShader = R"(#version 460
#include "grid.glsl"
layout(local_size_x = 1) in;
layout(set = 0, binding = 0) buffer Out { uint y[]; };
void main() { y[grid_group()] = VALUE; }
)";

class ShaderCompilerCache : public testing::Test {
 protected:
  std::filesystem::path the_file() const {
    const std::vector<Path> files = list_directory(directory_.path() / "spirv");
    EXPECT_EQ(files.size(), 1u);
    return files.front();
  }

  TempDirectory directory_;
  std::vector<Macro> macros_ = {{"VALUE", "7"}};
};

TEST(ShaderCompiler, GivesSpirv16WithIncludesAndMacros) {
  ShaderCompiler compiler({});
  const Words words = compiler.compile_text("test", kShader, {{"VALUE", "7"}});
  ASSERT_GT(words.size(), 5u);
  EXPECT_EQ(words[0], 0x07230203u);
  EXPECT_EQ(words[1], 0x00010600u);
  EXPECT_NE(words, compiler.compile_text("test", kShader, {{"VALUE", "8"}}));
  EXPECT_EQ(compiler.compiled_count(), 2);
}

TEST(ShaderCompiler, SaysWhatIsWrongAndWhere) {
  ShaderCompiler compiler({});
  try {
    compiler.compile_text("broken", "#version 460\nlayout(local_size_x = 1) in;\nvoid main() { oops = 1; }\n",
                          {});
    FAIL() << "it compiled";
  } catch (const CheckFailure& e) {
    EXPECT_THAT(e.what(), testing::HasSubstr("broken.comp:3"));
    EXPECT_THAT(e.what(), testing::HasSubstr("oops"));
  }
  EXPECT_THROW(compiler.compile_text("include", "#version 460\n#include \"none.glsl\"\nvoid main() {}\n", {}),
               CheckFailure);
  EXPECT_THROW(compiler.compile("no_such_shader", {}), CheckFailure);
}

TEST_F(ShaderCompilerCache, HitsOnTheSecondCompile) {
  ShaderCompiler first(directory_.path());
  const Words words = first.compile_text("test", kShader, macros_);
  ShaderCompiler second(directory_.path());
  EXPECT_EQ(second.compile_text("test", kShader, macros_), words);
  EXPECT_EQ(first.compiled_count(), 1);
  EXPECT_EQ(second.compiled_count(), 0);
}

TEST_F(ShaderCompilerCache, MissesWhenTextOrMacrosDiffer) {
  ShaderCompiler compiler(directory_.path());
  compiler.compile_text("test", kShader, macros_);
  compiler.compile_text("test", kShader, {{"VALUE", "8"}});
  compiler.compile_text("test", kShader, {{"VALUE", "7"}, {"OTHER", ""}});
  compiler.compile_text("test", std::string(kShader) + "\n", macros_);
  EXPECT_EQ(compiler.compiled_count(), 4);
}

TEST_F(ShaderCompilerCache, RecoversFromDamage) {
  const Words words = ShaderCompiler(directory_.path()).compile_text("test", kShader, macros_);
  const std::string intact = read_file(the_file());
  std::vector<std::string> damaged = {"", intact.substr(0, 10), intact.substr(0, intact.size() / 2),
                                      intact + "x"};
  for (const std::size_t at : {0uz, 20uz, 100uz, intact.size() - 1}) {
    damaged.push_back(intact);
    damaged.back()[at] ^= 1;
  }
  for (const std::string& contents : damaged) {
    std::ofstream(the_file(), std::ios::binary) << contents;
    ShaderCompiler compiler(directory_.path());
    EXPECT_EQ(compiler.compile_text("test", kShader, macros_), words);
    EXPECT_EQ(compiler.compiled_count(), 1);
    EXPECT_EQ(read_file(the_file()), intact);
  }
}

TEST_F(ShaderCompilerCache, WorksWithoutAWritableDirectory) {
  // A file stands where the directory should be.
  std::ofstream(directory_.path() / "spirv") << "in the way";
  ShaderCompiler compiler(directory_.path());
  const Words words = compiler.compile_text("test", kShader, macros_);
  EXPECT_EQ(compiler.compile_text("test", kShader, macros_), words);
  EXPECT_EQ(compiler.compiled_count(), 2);
}

TEST(DefaultCacheDir, FollowsTheXdgVariables) {
  const test::ScopedEnvironment home("HOME", "/home/someone");
  {
    const test::ScopedEnvironment cache("XDG_CACHE_HOME", "/caches");
    EXPECT_EQ(default_cache_dir(), "/caches/vkgpt");
  }
  const test::ScopedEnvironment relative("XDG_CACHE_HOME", "not/absolute");
  EXPECT_EQ(default_cache_dir(), "/home/someone/.cache/vkgpt");
  const test::ScopedEnvironment nowhere("HOME", "");
  EXPECT_EQ(default_cache_dir(), "");
}

}  // namespace
}  // namespace vkgpt::vk
