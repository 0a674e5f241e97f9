#include "vkgpt/core/interrupt.hpp"

#include <atomic>
#include <cerrno>
#include <string_view>

#include <signal.h>
#include <unistd.h>

#include "vkgpt/core/check.hpp"
#include "vkgpt/core/error.hpp"

namespace vkgpt {
namespace {

std::atomic<bool> g_interrupted = false;
std::atomic<bool> g_quiet = false;
static_assert(std::atomic<bool>::is_always_lock_free);  // else it may not be touched by a handler

/// Only what POSIX allows in a handler: lock-free atomics, write, _exit.
extern "C" void on_signal(int signal) {
  const bool again = g_interrupted.exchange(true);
  // Nobody insists by these: SIGXCPU comes every second until the hard limit, SIGHUP from the shell and from
  // the kernel when one terminal is closed, SIGUSR1 from a batch system and from the launcher of ranks.
  if (again && (signal == SIGXCPU || signal == SIGHUP || signal == SIGUSR1)) return;
  if (again) _exit(static_cast<int>(ExitCode::kInterrupted));
  if (g_quiet) return;
  const int saved = errno;
  constexpr std::string_view kNote = "\nvkgpt: interrupted, finishing; once more ends at once\n";
  [[maybe_unused]] const auto written = write(STDERR_FILENO, kNote.data(), kNote.size());
  errno = saved;
}

}  // namespace

void install_interrupt_handlers() {
  struct sigaction action{};
  action.sa_handler = on_signal;
  action.sa_flags = SA_RESTART;  // calls in progress go on: the flag is polled, not discovered by EINTR
  sigemptyset(&action.sa_mask);
  for (const int signal : {SIGINT, SIGTERM, SIGXCPU, SIGUSR1}) {
    VKGPT_CHECK(sigaction(signal, &action, nullptr) == 0, "signal {}", signal);
  }
  // Under nohup a closed terminal shall not end the run.
  struct sigaction hangup{};
  sigaction(SIGHUP, nullptr, &hangup);
  if (hangup.sa_handler != SIG_IGN) sigaction(SIGHUP, &action, nullptr);
  // A reader that went away and a limit of file sizes become errors of the writes.
  action.sa_handler = SIG_IGN;
  for (const int signal : {SIGPIPE, SIGXFSZ}) sigaction(signal, &action, nullptr);
}

void install_rank_interrupt_handlers() {
  g_quiet = true;
  install_interrupt_handlers();
}

bool interrupted() {
  return g_interrupted.load(std::memory_order_relaxed);
}

void clear_interrupt() {
  g_interrupted = false;
}

}  // namespace vkgpt
