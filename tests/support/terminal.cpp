#include "support/terminal.hpp"

#include <array>
#include <csignal>
#include <stdexcept>
#include <thread>

#include <poll.h>
#include <pty.h>
#include <sys/wait.h>
#include <termios.h>
#include <unistd.h>

#include "support/paths.hpp"

namespace vkgpt::test {

using Clock = std::chrono::steady_clock;

Terminal::Terminal(const std::vector<std::string>& args) {
  std::vector<std::string> words = args;
  words.insert(words.begin(), program().string());
  std::vector<char*> argv;
  for (std::string& word : words) argv.push_back(word.data());
  argv.push_back(nullptr);
  child_ = forkpty(&terminal_, nullptr, nullptr, nullptr);
  if (child_ < 0) throw std::runtime_error("no terminal");
  if (child_ > 0) return;
  termios settings{};
  tcgetattr(STDIN_FILENO, &settings);
  settings.c_lflag &= ~static_cast<tcflag_t>(ECHO);
  tcsetattr(STDIN_FILENO, TCSANOW, &settings);
  execv(argv[0], argv.data());
  _exit(127);
}

Terminal::~Terminal() {
  if (child_ > 0) {
    kill(child_, SIGKILL);
    waitpid(child_, nullptr, 0);
  }
  close(terminal_);
}

void Terminal::send(std::string_view text) const {
  while (!text.empty()) {
    const ssize_t count = write(terminal_, text.data(), text.size());
    if (count <= 0) throw std::runtime_error("the terminal is gone");
    text.remove_prefix(static_cast<std::size_t>(count));
  }
}

void Terminal::signal(int number) const {
  kill(child_, number);
}

std::string Terminal::read_until(std::string_view end, std::chrono::seconds most) const {
  const auto deadline = Clock::now() + most;
  std::string all;
  while (!all.contains(end)) {
    const auto left = std::chrono::duration_cast<std::chrono::milliseconds>(deadline - Clock::now());
    pollfd output{.fd = terminal_, .events = POLLIN, .revents = 0};
    if (left.count() <= 0 || poll(&output, 1, static_cast<int>(left.count())) <= 0) return all;
    std::array<char, 4096> bytes{};
    const ssize_t count = read(terminal_, bytes.data(), bytes.size());
    if (count <= 0) return all;
    all.append(bytes.data(), static_cast<std::size_t>(count));
  }
  return all;
}

int Terminal::wait(std::chrono::seconds most) {
  const auto deadline = Clock::now() + most;
  int status = 0;
  while (waitpid(child_, &status, WNOHANG) != child_) {
    if (Clock::now() > deadline) return -2;
    std::this_thread::sleep_for(std::chrono::milliseconds(10));
  }
  child_ = 0;
  return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

}  // namespace vkgpt::test
