#include "cli/docs/pager.hpp"

#include <csignal>
#include <cstdio>
#include <cstdlib>

#include <sys/wait.h>

#include "vkgpt/core/terminal.hpp"

namespace vkgpt::cli {
namespace {

constexpr int kNotFound = 127;  // the shell's exit code for a program that is not there

void write_to(std::FILE* file, const std::string& text) {
  std::fwrite(text.data(), 1, text.size(), file);
  std::fflush(file);
}

}  // namespace

void show_in_pager(const std::string& text) {
  const char* const chosen = std::getenv("PAGER");
  const char* const command = chosen != nullptr && *chosen != '\0' ? chosen : "less -R";
  // A reader who quits early closes the pipe, which is no failure.
  const auto handler = std::signal(SIGPIPE, SIG_IGN);
  int status = -1;
  if (std::FILE* const pipe = popen(command, "w"); pipe != nullptr) {
    write_to(pipe, text);
    status = pclose(pipe);
  }
  std::signal(SIGPIPE, handler);
  if (status == -1 || (WIFEXITED(status) && WEXITSTATUS(status) == kNotFound)) write_to(stdout, text);
}

}  // namespace vkgpt::cli
