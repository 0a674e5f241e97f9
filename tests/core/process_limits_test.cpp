// What the limits of a process do to the program: one line, never a crash.

#include "vkgpt/core/process_limits.hpp"

#include <csignal>

#include <gtest/gtest.h>
#include <sys/resource.h>
#include <unistd.h>

namespace vkgpt {
namespace {

void limit(decltype(RLIMIT_AS) resource, rlim_t bytes) {
  struct rlimit limit{};
  getrlimit(resource, &limit);
  limit.rlim_cur = bytes;
  setrlimit(resource, &limit);
}

TEST(ProcessLimitsDeathTest, ACrashUnderALimitIsOneLineWithExitCode1) {
  for (const int signal : {SIGSEGV, SIGBUS, SIGABRT}) {
    EXPECT_EXIT(
        {
          limit(RLIMIT_FSIZE, 1 << 20);
          settle_process_limits();
          std::raise(signal);
        },
        testing::ExitedWithCode(1),
        "^vkgpt: error: out of memory: a library crashed under the limits of this process, file sizes "
        "\\(ulimit -f\\) of 1 MiB: raise them\n$");
  }
}

TEST(ProcessLimitsDeathTest, WithoutALimitACrashIsACrash) {
  EXPECT_EXIT(
      {
        std::signal(SIGSEGV, SIG_DFL);  // a sanitizer's handler ends with a status of its own
        settle_process_limits();
        std::raise(SIGSEGV);
      },
      testing::KilledBySignal(SIGSEGV), "");
}

TEST(ProcessLimitsDeathTest, AFileBeyondItsLimitIsAnErrorOfTheWrite) {
  EXPECT_EXIT(
      {
        limit(RLIMIT_FSIZE, 0);
        settle_process_limits();
        std::raise(SIGXFSZ);
        _exit(0);
      },
      testing::ExitedWithCode(0), "");
}

TEST(ProcessLimitsDeathTest, AsManyFilesMayBeOpenAsTheHardLimitAllows) {
  EXPECT_EXIT(
      {
        limit(RLIMIT_NOFILE, 20);
        settle_process_limits();
        struct rlimit files{};
        getrlimit(RLIMIT_NOFILE, &files);
        _exit(files.rlim_cur == files.rlim_max ? 0 : 1);
      },
      testing::ExitedWithCode(0), "");
}

}  // namespace
}  // namespace vkgpt
