#include "cli/model/io_progress.hpp"

#include <algorithm>
#include <chrono>
#include <condition_variable>
#include <fstream>
#include <mutex>
#include <utility>

#include "vkgpt/core/format.hpp"
#include "vkgpt/core/status_line.hpp"
#include "vkgpt/core/units.hpp"

namespace vkgpt::cli {
namespace {

void show_until(const std::stop_token& stop, const std::string& what, std::uint64_t bytes) {
  StatusLine line;
  std::mutex mutex;
  std::condition_variable_any changed;
  const std::uint64_t begin = transferred_bytes();
  std::unique_lock lock(mutex);
  while (
      !changed.wait_for(lock, stop, std::chrono::milliseconds(100), [&] { return stop.stop_requested(); })) {
    const std::uint64_t done = std::min(bytes, transferred_bytes() - begin);
    const double share = static_cast<double>(done) / static_cast<double>(std::max<std::uint64_t>(1, bytes));
    line.show(share, vkgpt::format("{:.0f}% | {} | {} of {}", 100 * share, what, format_bytes(done),
                                   format_bytes(bytes)));
  }
}

}  // namespace

std::uint64_t transferred_bytes() {
  std::ifstream in("/proc/self/io");
  std::uint64_t sum = 0;
  std::string key;
  std::uint64_t value = 0;
  while (in >> key >> value) {
    if (key == "rchar:" || key == "wchar:") sum += value;
  }
  return sum;
}

IoProgress::IoProgress(std::string what, std::uint64_t bytes)
    : thread_(
          [what = std::move(what), bytes](const std::stop_token& stop) { show_until(stop, what, bytes); }) {}

}  // namespace vkgpt::cli
