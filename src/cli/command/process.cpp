#include "cli/command/process.hpp"

#include <array>
#include <cerrno>
#include <chrono>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string_view>
#include <thread>
#include <utility>

#include <fcntl.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "vkgpt/core/error.hpp"
#include "vkgpt/core/interrupt.hpp"

namespace vkgpt::cli {

namespace {

std::vector<char*> pointers_to(std::vector<std::string>& words) {
  std::vector<char*> argv;
  for (std::string& word : words) argv.push_back(word.data());
  argv.push_back(nullptr);
  return argv;
}

constexpr int kNotFound = 127;

/// Starts a program that ends, by `signal`, when this process does. Its standard streams are the descriptors
/// given. It exits with `kNotFound` where there is no such program.
pid_t start(std::vector<std::string>& words, std::array<int, 3> streams, int signal) {
  std::vector<char*> argv = pointers_to(words);
  const pid_t parent = getpid();
  const pid_t child = fork();
  if (child < 0) fail("cannot start {}: {}", words[0], std::strerror(errno));
  if (child > 0) return child;
  setpgid(0, 0);
  prctl(PR_SET_PDEATHSIG, signal);
  bool ready = getppid() == parent;
  for (int fd = 0; fd <= 2; ++fd) ready = ready && dup2(streams[static_cast<std::size_t>(fd)], fd) == fd;
  if (!ready) _exit(126);
  execvp(argv[0], argv.data());
  _exit(errno == ENOENT || errno == EACCES ? kNotFound : 126);
}

/// Exit code, or 128 and the signal.
int code_of(int status) {
  return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

}  // namespace

std::optional<int> run_process(std::vector<std::string> words, const std::function<void()>& on_wait) {
  const int null_fd = ::open("/dev/null", O_RDWR | O_CLOEXEC);
  const pid_t child = start(words, {null_fd, null_fd, null_fd}, SIGKILL);
  close(null_fd);
  int status = 0;
  bool told = false;
  for (int naps = 1;; ++naps) {
    const pid_t ended = waitpid(child, &status, WNOHANG);
    if (ended == child) break;
    if (ended < 0 && errno != EINTR) fail("cannot wait for {}: {}", words[0], std::strerror(errno));
    if (interrupted() && !std::exchange(told, true)) kill(child, SIGTERM);
    if (on_wait && naps % 10 == 0) on_wait();
    std::this_thread::sleep_for(std::chrono::milliseconds(10));
  }
  if (code_of(status) == kNotFound) return std::nullopt;
  return code_of(status);
}

Companion::Companion(std::vector<std::string> words, Errors errors) {
  const int null_fd = ::open("/dev/null", O_RDWR | O_CLOEXEC);
  child_ = start(words, {null_fd, null_fd, errors == Errors::kShown ? STDERR_FILENO : null_fd}, SIGTERM);
  close(null_fd);
  setpriority(PRIO_PROCESS, static_cast<id_t>(child_), 10);
}

Companion::~Companion() {
  kill(child_, SIGTERM);
  int status = 0;
  while (waitpid(child_, &status, 0) < 0 && errno == EINTR) {
  }
}

namespace {

/// Copies lines to standard error until the other end closes, but for blocks between lines of dashes.
void copy_without_notices(int fd) {
  std::FILE* const in = fdopen(fd, "r");
  if (in == nullptr) return;
  char* line = nullptr;
  std::size_t capacity = 0;
  bool in_notice = false;
  for (ssize_t size = 0; (size = getline(&line, &capacity, in)) > 0;) {
    if (std::string_view(line, static_cast<std::size_t>(size)).starts_with("----------------")) {
      in_notice = !in_notice;
    } else if (!in_notice) {
      std::fwrite(line, 1, static_cast<std::size_t>(size), stderr);
    }
  }
  std::free(line);
  std::fclose(in);
}

}  // namespace

std::optional<std::string> first_line_of(std::vector<std::string> words) {
  std::array<int, 2> pipe_fds{};
  if (pipe2(pipe_fds.data(), O_CLOEXEC) != 0) fail("cannot make a pipe: {}", std::strerror(errno));
  const int null_fd = ::open("/dev/null", O_RDWR | O_CLOEXEC);
  const pid_t child = start(words, {null_fd, pipe_fds[1], null_fd}, SIGKILL);
  close(null_fd);
  close(pipe_fds[1]);
  std::string text;
  std::array<char, 256> buffer{};
  for (ssize_t got = 0; (got = read(pipe_fds[0], buffer.data(), buffer.size())) > 0 && text.size() < 4096;) {
    text.append(buffer.data(), static_cast<std::size_t>(got));
  }
  close(pipe_fds[0]);
  int status = 0;
  while (waitpid(child, &status, 0) < 0 && errno == EINTR) {
  }
  if (code_of(status) == kNotFound) return std::nullopt;
  return text.substr(0, text.find('\n'));
}

int run_ranks(std::vector<std::string> words) {
  std::array<int, 2> pipe_fds{};
  if (pipe2(pipe_fds.data(), O_CLOEXEC) != 0) fail("cannot make a pipe: {}", std::strerror(errno));
  const int null_fd = ::open("/dev/null", O_RDONLY | O_CLOEXEC);
  const pid_t child = start(words, {null_fd, STDOUT_FILENO, pipe_fds[1]}, SIGTERM);
  close(null_fd);
  close(pipe_fds[1]);
  const std::jthread filter([fd = pipe_fds[0]] { copy_without_notices(fd); });
  bool told = false;
  int status = 0;
  while (true) {
    const pid_t ended = waitpid(child, &status, WNOHANG);
    if (ended == child) return code_of(status);
    if (ended < 0 && errno != EINTR) fail("cannot wait for {}: {}", words[0], std::strerror(errno));
    if (interrupted() && !std::exchange(told, true)) kill(child, SIGUSR1);
    std::this_thread::sleep_for(std::chrono::milliseconds(20));
  }
}

int run_supervised(std::vector<std::string> words, const Path& out, const Path& err) {
  const auto open_file = [](const Path& path, int flags) {
    const int fd = ::open(path.c_str(), flags | O_CREAT | O_WRONLY | O_CLOEXEC, 0666);
    if (fd < 0) throw IoError("open", path, errno);
    return fd;
  };
  const int out_fd = open_file(out, O_TRUNC);
  const int err_fd = open_file(err, O_APPEND);
  const int null_fd = ::open("/dev/null", O_RDONLY | O_CLOEXEC);
  const pid_t child = start(words, {null_fd, out_fd, err_fd}, SIGTERM);
  for (const int fd : {out_fd, err_fd, null_fd}) close(fd);
  bool told = false;
  int status = 0;
  while (true) {
    const pid_t ended = waitpid(child, &status, WNOHANG);
    if (ended == child) break;
    if (ended < 0 && errno != EINTR) fail("cannot wait for {}: {}", words[0], std::strerror(errno));
    if (interrupted() && !std::exchange(told, true)) kill(child, SIGINT);
    std::this_thread::sleep_for(std::chrono::milliseconds(20));
  }
  return code_of(status);
}

}  // namespace vkgpt::cli
