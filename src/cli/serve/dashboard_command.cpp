#include <algorithm>
#include <cstdint>
#include <filesystem>
#include <span>
#include <string>
#include <system_error>
#include <vector>

#include "vkgpt/core/error.hpp"
#include "vkgpt/core/interrupt.hpp"
#include "vkgpt/core/log.hpp"
#include "vkgpt/core/utf8.hpp"
#include "vkgpt/serve/dashboard.hpp"

#include "cli/command/command_line.hpp"
#include "cli/commands.hpp"

namespace vkgpt::cli {
namespace {

struct DashboardOptions {
  std::int64_t port = 8081;

  template <typename Visitor, typename Self>
  static void visit_fields(Visitor&& visit, Self& self) {
    visit(
        FieldInfo{
            .name = "port", .group = "Server", .help = "Port; 0 takes a free one", .min = 0, .max = 65535},
        self.port);
  }
};

/// A directory below which there are runs stands for them.
void add_runs(const Path& path, std::vector<Path>& runs) {
  std::error_code error;
  if (!std::filesystem::is_directory(path, error))
    fail_usage("{}: there is no such run directory", printable(path.string()));
  if (std::filesystem::exists(path / "metrics.jsonl", error)) return runs.push_back(path);
  std::vector<Path> below;
  for (const auto& entry : std::filesystem::directory_iterator(path, error)) {
    if (std::filesystem::exists(entry.path() / "metrics.jsonl", error)) below.push_back(entry.path());
  }
  if (below.empty()) below.push_back(path);  // a run that is about to begin
  std::ranges::sort(below);
  runs.insert(runs.end(), below.begin(), below.end());
}

}  // namespace

int run_dashboard(std::span<const std::string> args) {
  DashboardOptions options;
  CommandLine command(
      "dashboard",
      "Shows runs in a browser, while they train and afterwards: curves, settings, samples, norms\n"
      "of tensors, times. RUN is a run directory or a directory of them.",
      "RUN...");
  command.add(options);
  if (!command.parse(args)) return 0;
  std::vector<Path> runs;
  for (const std::string& path : command.positionals()) add_runs(path, runs);
  if (runs.empty()) fail_usage("dashboard: name at least one run directory");
  install_interrupt_handlers();
  serve::show_dashboard(runs, static_cast<std::uint16_t>(options.port),
                        [&](const std::string& address) { log_info("{} runs at {}", runs.size(), address); });
  return static_cast<int>(ExitCode::kSuccess);
}

}  // namespace vkgpt::cli
