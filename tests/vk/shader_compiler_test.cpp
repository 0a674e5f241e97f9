#include "vkgpt/vk/shader_compiler.hpp"

#include <filesystem>
#include <fstream>
#include <span>
#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "vkgpt/core/check.hpp"
#include "vkgpt/core/error.hpp"
#include "vkgpt/core/file.hpp"

#include "support/scoped_environment.hpp"
#include "support/temp_directory.hpp"
#include "vk/cache_file.hpp"

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
  const Words words = compiler.compile_text("test", kShader, {{"VALUE", "7"}}).words;
  ASSERT_GT(words.size(), 5u);
  EXPECT_EQ(words[0], 0x07230203u);
  EXPECT_EQ(words[1], 0x00010600u);
  EXPECT_NE(words, compiler.compile_text("test", kShader, {{"VALUE", "8"}}).words);
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
  const Words words = first.compile_text("test", kShader, macros_).words;
  ShaderCompiler second(directory_.path());
  EXPECT_EQ(second.compile_text("test", kShader, macros_).words, words);
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
  const Words words = ShaderCompiler(directory_.path()).compile_text("test", kShader, macros_).words;
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
    EXPECT_EQ(compiler.compile_text("test", kShader, macros_).words, words);
    EXPECT_EQ(compiler.compiled_count(), 1);
    EXPECT_EQ(read_file(the_file()), intact);
  }
}

TEST_F(ShaderCompilerCache, FilesThatHoldNoKernelAreReplaced) {
  const Words words = ShaderCompiler(directory_.path()).compile_text("test", kShader, macros_).words;
  for (const Words& planted : {Words{}, Words{0x07230203}, Words(words.begin(), words.end() - 1)}) {
    write_cache_file(the_file(), std::as_bytes(std::span(planted)));
    ShaderCompiler compiler(directory_.path());
    EXPECT_EQ(compiler.compile_text("test", kShader, macros_).words, words);
    EXPECT_EQ(compiler.compiled_count(), 1);
  }
}

TEST_F(ShaderCompilerCache, WorksWithoutAWritableDirectory) {
  // A file stands where the directory should be.
  std::ofstream(directory_.path() / "spirv") << "in the way";
  ShaderCompiler compiler(directory_.path());
  const Words words = compiler.compile_text("test", kShader, macros_).words;
  EXPECT_EQ(compiler.compile_text("test", kShader, macros_).words, words);
  EXPECT_EQ(compiler.compiled_count(), 2);
}

/// A folder of kernels: test.comp stores what include/value.glsl says.
class ShaderFolder : public ShaderCompilerCache {
 protected:
  ShaderFolder() {
    write("test.comp",
          "#version 460\n#include \"value.glsl\"\nlayout(local_size_x = 1) in;\n"
          "layout(set = 0, binding = 0) buffer Out { uint y[]; };\nvoid main() { y[0] = value(); }\n");
    write("include/value.glsl", "uint value() { return 7; }\n");
  }

  void write(const std::string& name, const std::string& text) const {
    std::filesystem::create_directories((folder() / name).parent_path());
    std::ofstream(folder() / name) << text;
  }
  Path folder() const { return directory_ / "kernels"; }

  std::string error() const {
    try {
      ShaderCompiler(directory_.path(), folder()).compile("test", {});
    } catch (const Error& e) {
      return e.what();
    }
    return "none";
  }
};

TEST_F(ShaderFolder, EditsOfKernelsAndIncludesAreSeenInTheCache) {
  const auto compiled = [&] {
    ShaderCompiler compiler(directory_.path(), folder());
    compiler.compile("test", {});
    return compiler.compiled_count();
  };
  EXPECT_EQ(compiled(), 1);
  EXPECT_EQ(compiled(), 0);
  write("include/value.glsl", "uint value() { return 8; }\n");
  EXPECT_EQ(compiled(), 1);
  EXPECT_EQ(compiled(), 0);
  write("include/value.glsl", "uint value() { return 7; }\n");
  EXPECT_EQ(compiled(), 0) << "as at first";
}

TEST_F(ShaderFolder, ErrorsAreOneLineWithTheFile) {
  write("include/value.glsl", "uint value() {\n  return oops;\n}\n");
  EXPECT_THAT(error(), testing::HasSubstr((folder() / "include/value.glsl").string() + ":2: 'oops'"));
  EXPECT_THAT(error(), testing::Not(testing::HasSubstr("\n")));
  std::filesystem::remove(folder() / "include/value.glsl");
  EXPECT_THAT(error(), testing::HasSubstr("value.glsl"));
  write("include/value.glsl", "#include \"value.glsl\"\n");
  EXPECT_THAT(error(), testing::HasSubstr("value.glsl")) << "includes without an end";
  std::filesystem::remove(folder() / "test.comp");
  EXPECT_EQ(error(), "--shader_dir " + folder().string() + " has no kernel test.comp");
  std::filesystem::remove_all(folder());
  EXPECT_THAT(error(), testing::StartsWith("--shader_dir " + folder().string() + " is not a folder"));
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
