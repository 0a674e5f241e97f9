#include <algorithm>
#include <array>
#include <format>
#include <print>
#include <string>
#include <string_view>

#include "vkgpt/core/error.hpp"
#include "vkgpt/core/units.hpp"
#include "vkgpt/core/utf8.hpp"
#include "vkgpt/train/progress.hpp"

#include "cli/command/commands.hpp"
#include "cli/data/data_commands.hpp"

namespace vkgpt::cli {
namespace {

struct Verb {
  std::string_view name;
  std::string_view arguments;
  std::string_view summary;
  int (*run)(std::span<const std::string> args);
};

constexpr std::array kVerbs = {
    Verb{"get", "[NAME]", "Fetch a known text or set of token shards; without a name: list them",
         run_data_get},
    Verb{"prepare", "INPUT...", "Encode texts into shards of tokens", run_data_prepare},
    Verb{"info", "DIR|FILE...", "Describe prepared data and token files; --verify checks them",
         run_data_info},
};

int print_help() {
  std::print("Usage: vkgpt data VERB [arguments] [flags]\n\nTexts and tokens to train on.\n\nVerbs:\n");
  for (const Verb& verb : kVerbs)
    std::print("  {:<22}{}\n", std::format("{} {}", verb.name, verb.arguments), verb.summary);
  std::print("\n'vkgpt data VERB --help' lists a verb's flags with their defaults.\n");
  return 0;
}

}  // namespace

void ByteProgress::update(std::uint64_t done, std::optional<std::uint64_t> total, const std::string& remark) {
  if (!first_) first_ = done;
  const double speed = static_cast<double>(done - *first_) / std::max(seconds(), 1e-3);
  std::string text = format_bytes(done);
  if (total) text += " of " + format_bytes(*total);
  text += std::format(" | {:.1f} MB/s", speed / 1e6);
  if (!remark.empty()) text += " | " + remark;
  if (total)
    text += " | eta " + train::format_duration(static_cast<double>(*total - std::min(done, *total)) / speed);
  line_.show(total && *total > 0 ? static_cast<double>(done) / static_cast<double>(*total) : 0, text);
}

double ByteProgress::seconds() const {
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - start_).count();
}

int run_data(std::span<const std::string> args) {
  if (args.empty()) fail_usage("expected 'vkgpt data get|prepare|info': 'vkgpt data --help' says more");
  if (args[0] == "--help" || args[0] == "-h") return print_help();
  const auto found = std::ranges::find(kVerbs, args[0], &Verb::name);
  if (found == kVerbs.end()) {
    fail_usage("unknown verb '{}': expected 'vkgpt data get|prepare|info'", printable(args[0]));
  }
  return found->run(args.subspan(1));
}

}  // namespace vkgpt::cli
