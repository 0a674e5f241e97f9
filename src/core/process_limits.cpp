#include "vkgpt/core/process_limits.hpp"

#include <algorithm>
#include <array>
#include <string>
#include <string_view>

#include <signal.h>
#include <sys/resource.h>
#include <unistd.h>

#include "vkgpt/core/error.hpp"
#include "vkgpt/core/format.hpp"
#include "vkgpt/core/units.hpp"

namespace vkgpt {
namespace {

std::optional<std::uint64_t> limit_of(int resource) {
  struct rlimit limit{};
  if (::getrlimit(static_cast<__rlimit_resource_t>(resource), &limit) != 0) return std::nullopt;
  if (limit.rlim_cur == RLIM_INFINITY) return std::nullopt;
  return limit.rlim_cur;
}

// What the handler says; written before it is installed.
std::array<char, 512> g_line;
std::size_t g_line_size = 0;
std::array<char, std::size_t{1} << 16> g_stack;  // a limit of the stack may be what is met

/// Only what POSIX allows in a handler: write, _exit.
extern "C" void on_crash(int) {
  [[maybe_unused]] const auto written = write(STDERR_FILENO, g_line.data(), g_line_size);
  _exit(static_cast<int>(ExitCode::kFailure));
}

/// "address space (ulimit -v) of 500 MiB"; empty where nothing is limited.
std::string memory_limits() {
  std::string limits;
  const auto add = [&](int resource, std::string_view what) {
    if (const std::optional<std::uint64_t> limit = limit_of(resource)) {
      limits += vkgpt::format("{}{} of {}", limits.empty() ? "" : ", ", what, format_bytes(*limit));
    }
  };
  add(RLIMIT_AS, "address space (ulimit -v)");
  add(RLIMIT_DATA, "data (ulimit -d)");
  add(RLIMIT_FSIZE, "file sizes (ulimit -f)");
  return limits;
}

void raise_open_files() {
  struct rlimit limit{};
  if (::getrlimit(RLIMIT_NOFILE, &limit) != 0 || limit.rlim_cur >= limit.rlim_max) return;
  limit.rlim_cur = limit.rlim_max;
  ::setrlimit(RLIMIT_NOFILE, &limit);
}

}  // namespace

std::optional<std::uint64_t> address_space_limit() {
  return limit_of(RLIMIT_AS);
}

void settle_process_limits() {
  raise_open_files();
  struct sigaction ignore{};
  ignore.sa_handler = SIG_IGN;
  sigaction(SIGXFSZ, &ignore, nullptr);

  const std::string limits = memory_limits();
  if (limits.empty()) return;
  const std::string line = vkgpt::format(
      "vkgpt: error: out of memory: a library crashed under the limits of this process, {}: raise them\n",
      limits);
  g_line_size = std::min(line.size(), g_line.size());
  std::copy_n(line.begin(), g_line_size, g_line.begin());

  stack_t stack{};
  stack.ss_sp = g_stack.data();
  stack.ss_size = g_stack.size();
  sigaltstack(&stack, nullptr);
  struct sigaction action{};
  action.sa_handler = on_crash;
  action.sa_flags = SA_ONSTACK;
  sigemptyset(&action.sa_mask);
  for (const int signal : {SIGSEGV, SIGBUS, SIGABRT}) sigaction(signal, &action, nullptr);
}

}  // namespace vkgpt
