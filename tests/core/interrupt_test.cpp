#include "vkgpt/core/interrupt.hpp"

#include <gtest/gtest.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

namespace vkgpt {
namespace {

void nothing() {}

/// The wait status of a child that runs `prepare`, installs the handlers and runs `body`, which returns its
/// exit code.
template <typename Body>
int status_of_child(Body body, void (*prepare)() = nothing) {
  const pid_t child = fork();
  if (child == 0) {
    close(STDERR_FILENO);
    signal(SIGHUP, SIG_DFL);  // as it is where the tests were not started by nohup
    prepare();
    install_interrupt_handlers();
    _exit(body());
  }
  int status = -1;
  EXPECT_EQ(waitpid(child, &status, 0), child);
  return status;
}

TEST(Interrupt, FirstSignalOnlySetsTheFlag) {
  for (const int signal : {SIGINT, SIGTERM, SIGHUP, SIGXCPU, SIGUSR1}) {
    const int status = status_of_child([signal] {
      const bool before = interrupted();
      raise(signal);
      const bool after = interrupted();
      clear_interrupt();
      return !before && after && !interrupted() ? 7 : 8;
    });
    ASSERT_TRUE(WIFEXITED(status));
    EXPECT_EQ(WEXITSTATUS(status), 7);
  }
}

TEST(Interrupt, ALimitOfProcessorTimeAndABatchSystemMaySayItAgain) {
  for (const int signal : {SIGXCPU, SIGUSR1}) {
    const int status = status_of_child([signal] {
      raise(signal);
      raise(signal);
      return interrupted() ? 7 : 8;
    });
    ASSERT_TRUE(WIFEXITED(status));
    EXPECT_EQ(WEXITSTATUS(status), 7);
  }
}

TEST(Interrupt, AClosedTerminalMaySayItAgain) {
  for (const auto install : {install_interrupt_handlers, install_rank_interrupt_handlers}) {
    const int status = status_of_child([install] {
      install();
      raise(SIGHUP);
      raise(SIGHUP);
      return interrupted() ? 7 : 8;
    });
    ASSERT_TRUE(WIFEXITED(status));
    EXPECT_EQ(WEXITSTATUS(status), 7);
  }
}

TEST(Interrupt, HangupStaysIgnoredUnderNohup) {
  const int status = status_of_child(
      [] {
        raise(SIGHUP);
        return interrupted() ? 8 : 7;
      },
      [] { signal(SIGHUP, SIG_IGN); });
  ASSERT_TRUE(WIFEXITED(status));
  EXPECT_EQ(WEXITSTATUS(status), 7);
}

TEST(Interrupt, ClosedPipesAndFileLimitsDoNotKill) {
  const int status = status_of_child([] {
    raise(SIGPIPE);
    raise(SIGXFSZ);
    return interrupted() ? 8 : 7;
  });
  ASSERT_TRUE(WIFEXITED(status));
  EXPECT_EQ(WEXITSTATUS(status), 7);
}

TEST(Interrupt, SecondSignalExitsWith130) {
  const int status = status_of_child([] {
    raise(SIGTERM);
    raise(SIGINT);
    return 7;
  });
  ASSERT_TRUE(WIFEXITED(status));
  EXPECT_EQ(WEXITSTATUS(status), 130);
}

}  // namespace
}  // namespace vkgpt
