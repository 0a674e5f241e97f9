// A model of Llama-3.1-8B's shape, random and sparse on the disk, is loaded in nf4 and takes a step of
// adapters.

#include <cmath>
#include <cstdint>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <string>

#include <gtest/gtest.h>

#include "vkgpt/core/json.hpp"

#include "cli/run_vkgpt.hpp"
#include "support/paths.hpp"
#include "support/temp_directory.hpp"

namespace vkgpt::cli {
namespace {

constexpr double kGiB = 1 << 30;

/// Of the host's memory, in bytes; 0 where the system does not say.
double available_memory() {
  std::ifstream file("/proc/meminfo");
  for (std::string name, unit; file >> name;) {
    double kibibytes = 0;
    file >> kibibytes;
    std::getline(file, unit);
    if (name == "MemAvailable:") return kibibytes * 1024;
  }
  return 0;
}

TEST(SlowLargeBase, ALlamaOf8BTakesAStepInLittleHostMemory) {
  constexpr double kMemoryNeeded = 8 * kGiB, kDiskNeeded = 4 * kGiB;
  if (std::system("python3 -c 1 >/dev/null 2>&1") != 0) GTEST_SKIP() << "no python3";
  if (available_memory() < kMemoryNeeded) GTEST_SKIP() << "less than 8 GiB of memory are free";
  const TempDirectory temp;
  if (static_cast<double>(std::filesystem::space(temp.path()).available) < kDiskNeeded) {
    GTEST_SKIP() << "less than 4 GiB of disk are free";
  }
  const std::string out = (temp / "figures.json").string();
  const RunResult run =
      run_program_at("python3", {(test::source_dir() / "tools/bench/large_base.py").string(), "--program",
                                 test::program().string(), "--work", temp.path().string(), "--out", out});
  ASSERT_EQ(run.code, 0) << run.err;
  const Json figures = read_json_file(out);
  const auto figure = [&](const char* name) { return figures.at(name).get<double>(); };
  EXPECT_GT(figure("parameters"), 8e9);
  EXPECT_LT(figure("peak_rss_mib") * (1 << 20), 20e9);
  EXPECT_LT(figure("beyond_device_mib"), 1024) << "while it loads " << figure("weights_mib") << " MiB";
  EXPECT_NEAR(figure("device_mib") / figure("planned_mib"), 1, 0.05);
  EXPECT_NEAR(figure("loss"), std::log(128256.0), 2);
}

}  // namespace
}  // namespace vkgpt::cli
