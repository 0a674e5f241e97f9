#include "cli/command/process.hpp"

#include <cerrno>
#include <chrono>
#include <csignal>
#include <cstring>
#include <thread>
#include <utility>

#include <fcntl.h>
#include <spawn.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "vkgpt/core/error.hpp"
#include "vkgpt/core/interrupt.hpp"

namespace vkgpt::cli {

std::optional<int> run_process(std::vector<std::string> words, const std::function<void()>& on_wait) {
  std::vector<char*> argv;
  for (std::string& word : words) argv.push_back(word.data());
  argv.push_back(nullptr);
  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  for (const int fd : {STDIN_FILENO, STDOUT_FILENO, STDERR_FILENO}) {
    posix_spawn_file_actions_addopen(&actions, fd, "/dev/null", fd == STDIN_FILENO ? O_RDONLY : O_WRONLY, 0);
  }
  pid_t child = 0;
  const int code = posix_spawnp(&child, argv[0], &actions, nullptr, argv.data(), environ);
  posix_spawn_file_actions_destroy(&actions);
  if (code == ENOENT || code == EACCES) return std::nullopt;
  if (code != 0) fail("cannot run {}: {}", words[0], std::strerror(code));
  int status = 0;
  bool told = false;
  for (int naps = 1;; ++naps) {
    const pid_t ended = waitpid(child, &status, on_wait ? WNOHANG : 0);
    if (ended == child) break;
    if (ended < 0 && errno != EINTR) fail("cannot wait for {}: {}", words[0], std::strerror(errno));
    if (!on_wait) continue;
    if (interrupted() && !std::exchange(told, true)) kill(child, SIGTERM);
    if (naps % 10 == 0) on_wait();
    std::this_thread::sleep_for(std::chrono::milliseconds(10));
  }
  return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

int run_supervised(std::vector<std::string> words, const Path& out, const Path& err) {
  std::vector<char*> argv;
  for (std::string& word : words) argv.push_back(word.data());
  argv.push_back(nullptr);
  const auto open_file = [](const Path& path, int flags) {
    const int fd = ::open(path.c_str(), flags | O_CREAT | O_WRONLY | O_CLOEXEC, 0666);
    if (fd < 0) throw IoError("open", path, errno);
    return fd;
  };
  const int out_fd = open_file(out, O_TRUNC);
  const int err_fd = open_file(err, O_APPEND);
  const int null_fd = ::open("/dev/null", O_RDONLY | O_CLOEXEC);
  const pid_t parent = getpid();
  const pid_t child = fork();
  if (child == 0) {
    setpgid(0, 0);
    prctl(PR_SET_PDEATHSIG, SIGTERM);
    if (getppid() != parent || dup2(null_fd, STDIN_FILENO) < 0 || dup2(out_fd, STDOUT_FILENO) < 0 ||
        dup2(err_fd, STDERR_FILENO) < 0) {
      _exit(126);
    }
    execv(argv[0], argv.data());
    _exit(127);
  }
  const int fork_error = errno;
  for (const int fd : {out_fd, err_fd, null_fd}) close(fd);
  if (child < 0) fail("cannot start {}: {}", words[0], std::strerror(fork_error));
  bool told = false;
  int status = 0;
  while (true) {
    const pid_t ended = waitpid(child, &status, WNOHANG);
    if (ended == child) break;
    if (ended < 0 && errno != EINTR) fail("cannot wait for {}: {}", words[0], std::strerror(errno));
    if (interrupted() && !std::exchange(told, true)) kill(child, SIGINT);
    std::this_thread::sleep_for(std::chrono::milliseconds(20));
  }
  return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

}  // namespace vkgpt::cli
