#include <chrono>
#include <cstdlib>
#include <filesystem>

#include "vkgpt/core/error.hpp"
#include "vkgpt/core/format.hpp"

#include "cli/bench/bench.hpp"
#include "cli/command/process.hpp"

namespace vkgpt::cli {

std::vector<Figure> bench_start(const std::string& device) {
  const auto directory =
      std::filesystem::temp_directory_path() / vkgpt::format("vkgpt-bench-{}", std::rand());
  std::filesystem::create_directories(directory);
  std::vector<Figure> figures;
  for (const char* caches : {"empty", "warm"}) {
    const auto start = std::chrono::steady_clock::now();
    const auto code = run_process({"env", "XDG_CACHE_HOME=" + directory.string(),
                                   std::filesystem::read_symlink("/proc/self/exe").string(), "bench",
                                   "first_step", "--device", device});
    const double seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
    if (code != 0) {
      std::filesystem::remove_all(directory);
      fail("the process that bench started to time its first step failed");
    }
    figures.push_back({.bench = "start",
                       .name = vkgpt::format("first step, caches {}", caches),
                       .milliseconds = 1e3 * seconds,
                       .rate = seconds,
                       .unit = "s",
                       .share = 0});
  }
  std::filesystem::remove_all(directory);
  return figures;
}

}  // namespace vkgpt::cli
