#include <cstddef>
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

}  // namespace

int run_dashboard(std::span<const std::string> args) {
  DashboardOptions options;
  CommandLine command(
      "dashboard",
      "Shows runs in a browser, while they train and afterwards: curves, settings, samples, norms\n"
      "of tensors, times. RUN is a run directory or a directory of them, to which more may be added.",
      "RUN...");
  command.add(options);
  if (!command.parse(args)) return 0;
  const std::vector<Path> places(command.positionals().begin(), command.positionals().end());
  if (places.empty()) fail_usage("dashboard: name at least one run directory");
  for (const Path& place : places) {
    std::error_code error;
    if (!std::filesystem::is_directory(place, error))
      fail_usage("{}: there is no such run directory", printable(place.string()));
  }
  const std::size_t runs = serve::find_runs(places).size();
  install_interrupt_handlers();
  serve::show_dashboard(places, static_cast<std::uint16_t>(options.port),
                        [&](const std::string& address) { log_info("{} runs at {}", runs, address); });
  return static_cast<int>(ExitCode::kSuccess);
}

}  // namespace vkgpt::cli
