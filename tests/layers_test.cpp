// Holds the direction of includes: cli -> train, text -> model -> ops -> plan -> vk -> core.

#include <filesystem>
#include <fstream>
#include <map>
#include <set>
#include <string>
#include <string_view>

#include <gtest/gtest.h>

#include "support/paths.hpp"

namespace {

namespace fs = std::filesystem;

/// The layers that each layer may include, itself among them.
const std::map<std::string, std::set<std::string>> kMayInclude = [] {
  std::map<std::string, std::set<std::string>> allowed;
  std::set<std::string> below;
  for (const char* layer : {"core", "vk", "plan", "ops", "model", "text", "train", "cli"}) {
    below.insert(layer);
    allowed[layer] = below;
  }
  return allowed;
}();

template <typename Visit>
void for_each_source(Visit&& visit) {
  for (const char* top : {"src", "include/vkgpt"}) {
    const fs::path root = vkgpt::test::source_dir() / top;
    for (const auto& entry : fs::recursive_directory_iterator(root)) {
      if (!entry.is_regular_file()) continue;
      visit(entry.path(), fs::relative(entry.path(), root).begin()->string());
    }
  }
}

TEST(Layers, IncludesNeverRunUpward) {
  constexpr std::string_view kInclude = "#include \"vkgpt/";
  int checked = 0;
  for_each_source([&](const fs::path& file, const std::string& layer) {
    ASSERT_TRUE(kMayInclude.contains(layer)) << file << " is in no layer";
    std::ifstream in(file);
    for (std::string line; std::getline(in, line);) {
      if (!line.starts_with(kInclude)) continue;
      ++checked;
      const std::string included =
          line.substr(kInclude.size(), line.find('/', kInclude.size()) - kInclude.size());
      EXPECT_TRUE(kMayInclude.at(layer).contains(included)) << file << ": " << line;
    }
  });
  EXPECT_GT(checked, 50);
}

TEST(Layers, OnlyTheVulkanLayerAndTheExecutorSeeVulkan) {
  for_each_source([&](const fs::path& file, const std::string& layer) {
    if (layer == "vk") return;
    std::ifstream in(file);
    for (std::string line; std::getline(in, line);) {
      EXPECT_EQ(line.find("#include <vulkan"), std::string::npos) << file;
      EXPECT_EQ(line.find("#include <volk"), std::string::npos) << file;
    }
  });
}

TEST(Layers, NoFileIsLongerThan500Lines) {
  for (const char* top : {"src", "include", "shaders", "tests", "tools"}) {
    for (const auto& entry : fs::recursive_directory_iterator(vkgpt::test::source_dir() / top)) {
      if (!entry.is_regular_file()) continue;
      const std::string extension = entry.path().extension();
      if (!std::set<std::string>{".cpp", ".hpp", ".comp", ".glsl", ".sh", ".py"}.contains(extension))
        continue;
      std::ifstream in(entry.path());
      int lines = 0;
      for (std::string line; std::getline(in, line);) ++lines;
      EXPECT_LE(lines, 500) << entry.path();
    }
  }
}

}  // namespace
