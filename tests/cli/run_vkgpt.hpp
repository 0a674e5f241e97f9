#pragma once

#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <string>
#include <thread>
#include <vector>

#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include "vkgpt/core/file.hpp"

#include "support/paths.hpp"
#include "support/temp_directory.hpp"

namespace vkgpt::cli {

/// A text with every letter, for tokenizers of characters.
inline constexpr const char* kEveryLetter = "the quick brown fox jumps over the lazy dog; ";

struct RunResult {
  int code = -1;
  std::string out;
  std::string err;
};

/// Runs a built program. `environment` holds "NAME=value"; `input` is its standard input.
inline RunResult run_program_at(const Path& program, const std::vector<std::string>& args,
                                const std::vector<std::string>& environment = {},
                                const std::string& input = {}) {
  const TempDirectory directory;
  write_file(directory / "in", input);
  const auto quoted = [](const std::string& word) {
    std::string text = "'";
    for (const char c : word) text += c == '\'' ? std::string("'\\''") : std::string(1, c);
    return text + "'";
  };
  std::string line = "env";
  for (const std::string& variable : environment) line += " " + quoted(variable);
  line += " " + quoted(program.string());
  for (const std::string& arg : args) line += " " + quoted(arg);
  line += " <" + quoted((directory / "in").string()) + " >" + quoted((directory / "out").string()) + " 2>" +
          quoted((directory / "err").string());
  const int status = std::system(line.c_str());
  return {.code = WIFEXITED(status) ? WEXITSTATUS(status) : -1,
          .out = read_file(directory / "out"),
          .err = read_file(directory / "err")};
}

inline RunResult run_vkgpt(const std::vector<std::string>& args,
                           const std::vector<std::string>& environment = {}, const std::string& input = {}) {
  return run_program_at(test::program(), args, environment, input);
}

/// Starts the program and sends `signal` once `file` has a line with `text`.
inline int run_and_signal(const std::vector<std::string>& args, const Path& file, const std::string& text,
                          int signal) {
  const pid_t child = fork();
  if (child == 0) {
    std::vector<std::string> words = args;
    words.insert(words.begin(), test::program().string());
    std::vector<char*> argv;
    for (std::string& word : words) argv.push_back(word.data());
    argv.push_back(nullptr);
    std::freopen("/dev/null", "w", stderr);
    std::freopen("/dev/null", "w", stdout);
    execv(argv[0], argv.data());
    _exit(127);
  }
  for (int i = 0; i < 6000; ++i) {
    std::ifstream in(file);
    bool found = false;
    for (std::string line; std::getline(in, line);) found |= line.find(text) != std::string::npos;
    if (found) break;
    std::this_thread::sleep_for(std::chrono::milliseconds(5));
  }
  kill(child, signal);
  int status = 0;
  waitpid(child, &status, 0);
  return WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status);
}

}  // namespace vkgpt::cli
