#include <algorithm>
#include <array>
#include <string>

#include "vkgpt/core/format.hpp"
#include "vkgpt/core/units.hpp"
#include "vkgpt/train/progress.hpp"

#include "cli/commands.hpp"
#include "cli/data/data_commands.hpp"

namespace vkgpt::cli {
namespace {

constexpr std::array kDataCommands = {
    Command{"get", "Fetch a known text or set of token shards; without a name: list them", run_data_get},
    Command{"prepare", "Encode texts into shards of tokens", run_data_prepare},
    Command{"info", "Describe prepared data and token files; --verify checks them", run_data_info},
};

}  // namespace

void ByteProgress::update(std::uint64_t done, std::optional<std::uint64_t> total, const std::string& remark) {
  if (!first_) first_ = done;
  const double speed = static_cast<double>(done - *first_) / std::max(seconds(), 1e-3);
  std::string text = format_bytes(done);
  if (total) text += " of " + format_bytes(*total);
  text += vkgpt::format(" | {:.1f} MB/s", speed / 1e6);
  if (!remark.empty()) text += " | " + remark;
  if (total)
    text += " | eta " + train::format_duration(static_cast<double>(*total - std::min(done, *total)) / speed);
  line_.show(total && *total > 0 ? static_cast<double>(done) / static_cast<double>(*total) : 0, text);
}

double ByteProgress::seconds() const {
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - start_).count();
}

constinit const CommandGroup kDataGroup = {"vkgpt data", "Texts and tokens to train on.", kDataCommands};

int run_data(std::span<const std::string> args) {
  return run_group(kDataGroup, args);
}

}  // namespace vkgpt::cli
