#include <algorithm>
#include <set>
#include <string>

#include <gtest/gtest.h>

#include "fuzz/fuzz_target.hpp"
#include "support/paths.hpp"

namespace vkgpt::fuzz {
namespace {

Path corpus() {
  return test::source_dir() / "tests/fuzz/corpus";
}

/// Also every seed cut short and with a byte changed, a few dozen times each.
TEST(FuzzCorpus, EveryTargetTakesItsSeeds) {
  ASSERT_FALSE(targets().empty());
  for (const auto& [name, target] : targets()) {
    const std::vector<Path> seeds = list_directory(corpus() / name);
    EXPECT_GE(seeds.size(), 2U) << name;
    for (const Path& seed : seeds) {
      SCOPED_TRACE(seed.string());
      const std::string input = read_file(seed);
      EXPECT_NO_THROW(run(target, input));
      const std::size_t stride = 1 + input.size() / 24;
      for (std::size_t at = 0; at < input.size(); at += stride) {
        EXPECT_NO_THROW(run(target, std::string_view(input).substr(0, at))) << "the first " << at << " bytes";
        std::string changed = input;
        changed[at] = static_cast<char>(changed[at] ^ (1 << at % 8));
        EXPECT_NO_THROW(run(target, changed)) << "byte " << at;
      }
    }
  }
}

TEST(FuzzCorpus, HasNoSeedsWithoutATarget) {
  std::set<std::string> names;
  for (const auto& [name, target] : targets()) EXPECT_TRUE(names.emplace(name).second) << name;
  for (const Path& path : list_directory(corpus()))
    EXPECT_TRUE(names.contains(path.filename().string())) << path;
}

}  // namespace
}  // namespace vkgpt::fuzz
