// Holds that shaders/README.md has every kernel.

#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>

#include <gtest/gtest.h>

#include "support/paths.hpp"

namespace {

TEST(ShadersReadme, NamesEveryKernel) {
  const std::filesystem::path folder = vkgpt::test::source_dir() / "shaders";
  std::ifstream in(folder / "README.md");
  const std::string readme{std::istreambuf_iterator<char>(in), {}};
  int kernels = 0;
  for (const auto& entry : std::filesystem::directory_iterator(folder)) {
    if (entry.path().extension() != ".comp") continue;
    ++kernels;
    const std::string stem = entry.path().stem().string();
    EXPECT_NE(readme.find("`" + stem + "`"), std::string::npos) << stem;
  }
  EXPECT_GT(kernels, 50);
}

}  // namespace
