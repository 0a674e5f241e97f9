// Holds the house together: cli -> serve, check -> train, text -> model -> ops -> plan -> vk -> core, with
// comm beside vk. An arrow means "may include".

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <map>
#include <set>
#include <sstream>
#include <string>
#include <string_view>
#include <vector>

#include <gtest/gtest.h>

#include "support/paths.hpp"
#include "support/source_reader.hpp"

namespace vkgpt::test {
namespace {

namespace fs = std::filesystem;

/// The layers that each layer may include besides itself.
const std::map<std::string, std::set<std::string>> kMayInclude = [] {
  std::map<std::string, std::set<std::string>> allowed;
  const auto put = [&](const std::string& layer, std::vector<std::string> below) {
    auto& all = allowed[layer];
    for (const std::string& name : below) {
      all.insert(name);
      all.insert(allowed.at(name).begin(), allowed.at(name).end());
    }
  };
  put("core", {});
  put("vk", {"core"});
  put("comm", {"core"});
  put("plan", {"vk"});
  put("ops", {"plan"});
  put("model", {"ops"});
  put("text", {"model"});
  put("train", {"text", "comm"});
  put("check", {"model"});
  put("serve", {"train"});
  put("api", {"train"});
  put("cli", {"check", "serve"});
  return allowed;
}();

/// The layer of a file by its name; the library's own header, <vkgpt/vkgpt.hpp>, stands above them all.
std::string layer_of(const std::string& name) {
  return name == "vkgpt.hpp" ? "api" : name.substr(0, name.find('/'));
}

/// A file below src or include/vkgpt.
struct Source {
  fs::path path;
  std::string name;  ///< from the root that it is included from: "ops/norm.cpp"
  std::string text;

  std::string layer() const { return layer_of(name); }
  std::string unit() const { return name.substr(0, name.rfind('.')); }
};

std::string read(const fs::path& path) {
  std::ifstream in(path);
  return {std::istreambuf_iterator<char>(in), {}};
}

const std::vector<Source>& sources() {
  static const std::vector<Source> all = [] {
    std::vector<Source> found;
    for (const char* top : {"src", "include/vkgpt"}) {
      const fs::path root = source_dir() / top;
      for (const auto& entry : fs::recursive_directory_iterator(root)) {
        const fs::path extension = entry.path().extension();
        if (extension != ".cpp" && extension != ".hpp") continue;
        found.push_back({entry.path(), fs::relative(entry.path(), root), read(entry.path())});
      }
    }
    return found;
  }();
  return all;
}

/// "vkgpt/ops/norm.hpp" and "ops/norm.hpp" are the same unit's header.
std::string without_prefix(std::string_view include) {
  constexpr std::string_view kPublic = "vkgpt/";
  return std::string(include.starts_with(kPublic) ? include.substr(kPublic.size()) : include);
}

/// "ops/matmul/product" is of the room "ops/matmul", "ops/norm" of none: what lies in a layer itself may be
/// shared by its rooms.
std::string room_of(const std::string& unit) {
  const std::size_t last = unit.rfind('/');
  return last == unit.find('/') ? std::string() : unit.substr(0, last);
}

/// Which units include which, within each layer.
Graph units() {
  Graph graph;
  for (const Source& source : sources()) {
    auto& next = graph[source.unit()];
    for (const std::string& include : quoted_includes(source.text)) {
      const std::string header = without_prefix(include);
      const std::string unit = header.substr(0, header.rfind('.'));
      if (unit != source.unit() && header.starts_with(source.layer() + "/")) next.insert(unit);
    }
  }
  return graph;
}

Graph rooms() {
  Graph graph;
  for (const auto& [unit, included] : units()) {
    const std::string room = room_of(unit);
    if (room.empty()) continue;
    auto& next = graph[room];
    for (const std::string& other : included) {
      if (!room_of(other).empty() && room_of(other) != room) next.insert(room_of(other));
    }
  }
  return graph;
}

void expect_no_circles(const Graph& graph) {
  for (const auto& circle : circles(graph)) {
    std::string members;
    for (const std::string& member : circle) members += member + " ";
    ADD_FAILURE() << "a circle: " << members;
  }
}

TEST(Layers, IncludesNeverRunUpward) {
  int checked = 0;
  for (const Source& source : sources()) {
    const auto allowed = kMayInclude.find(source.layer());
    ASSERT_NE(allowed, kMayInclude.end()) << source.path << " is in no layer";
    for (const std::string& include : quoted_includes(source.text)) {
      ++checked;
      const std::string header = without_prefix(include);
      const std::string layer = layer_of(header);
      EXPECT_TRUE(layer == source.layer() || allowed->second.contains(layer))
          << source.path << ": \"" << include << "\" is no part of " << source.layer()
          << " or what lies below it";
    }
  }
  EXPECT_GT(checked, 50);
}

TEST(Layers, PrivateHeadersStayInTheirLayer) {
  for (const Source& source : sources()) {
    for (const std::string& include : quoted_includes(source.text)) {
      const bool is_public = include.starts_with("vkgpt/");
      const fs::path header = source_dir() / (is_public ? "include" : "src") / include;
      EXPECT_TRUE(fs::exists(header))
          << source.path << ": \"" << include << "\" does not start at src or include";
      if (!is_public) {
        EXPECT_TRUE(include.starts_with(source.layer() + "/")) << source.path << ": \"" << include << '"';
      }
    }
  }
}

TEST(Layers, UnitsIncludeEachOtherInNoCircle) {
  expect_no_circles(units());
}

TEST(Layers, RoomsIncludeEachOtherInNoCircle) {
  expect_no_circles(rooms());
}

TEST(Layers, OnlyTheVulkanLayerAndTheExecutorSeeVulkan) {
  for (const Source& source : sources()) {
    if (source.layer() == "vk") continue;
    EXPECT_EQ(source.text.find("#include <vulkan"), std::string::npos) << source.path;
    EXPECT_EQ(source.text.find("#include <volk"), std::string::npos) << source.path;
  }
}

TEST(Layers, NoFileIsLongerThan400Lines) {
  const std::set<std::string> extensions{".cpp", ".hpp", ".comp", ".glsl", ".sh", ".py"};
  for (const char* top : {"src", "include", "shaders", "tests", "tools"}) {
    for (const auto& entry : fs::recursive_directory_iterator(source_dir() / top)) {
      if (!extensions.contains(entry.path().extension())) continue;
      const std::string text = read(entry.path());
      EXPECT_LE(std::ranges::count(text, '\n'), 400) << entry.path();
    }
  }
}

TEST(Layers, NoFunctionIsLongerThan60Lines) {
  int seen = 0;
  for (const Source& source : sources()) {
    for (const Function& function : functions(source.text)) {
      ++seen;
      EXPECT_LE(function.lines, 60) << source.path << ":" << function.line << ": " << function.head;
    }
  }
  EXPECT_GT(seen, 1000);
}

// Preprocessor lines do not count: most of them choose between variants of a line.
TEST(Layers, NoFunctionOfAShaderHasMoreThan60LinesOfCode) {
  int seen = 0;
  for (const auto& entry : fs::recursive_directory_iterator(source_dir() / "shaders")) {
    const fs::path extension = entry.path().extension();
    if (extension != ".comp" && extension != ".glsl") continue;
    const std::string text = read(entry.path());
    std::vector<std::string> code;
    std::istringstream stripped(code_only(text));
    for (std::string line; std::getline(stripped, line);) code.push_back(line);
    for (const Function& function : functions(text)) {
      ++seen;
      const auto begin = code.begin() + function.line - 1;
      const auto count = std::count_if(begin, begin + function.lines, [](const std::string& line) {
        return line.find_first_not_of(' ') != std::string::npos;
      });
      EXPECT_LE(count, 60) << entry.path() << ":" << function.line << ": " << function.head;
    }
  }
  EXPECT_GT(seen, 200);
}

}  // namespace
}  // namespace vkgpt::test
