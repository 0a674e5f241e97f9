#pragma once

#include <cstdlib>
#include <string>
#include <vector>

#include <gtest/gtest.h>
#include <sys/wait.h>

#include "vkgpt/core/file.hpp"

#include "support/paths.hpp"
#include "support/temp_directory.hpp"

namespace vkgpt::cli {

struct RunResult {
  int code = -1;
  std::string out;
  std::string err;
};

/// Runs the built program. `environment` holds "NAME=value".
inline RunResult run_vkgpt(const std::vector<std::string>& args,
                           const std::vector<std::string>& environment = {}) {
  const TempDirectory directory;
  const auto quoted = [](const std::string& word) {
    std::string text = "'";
    for (const char c : word) text += c == '\'' ? std::string("'\\''") : std::string(1, c);
    return text + "'";
  };
  std::string line = "env";
  for (const std::string& variable : environment) line += " " + quoted(variable);
  line += " " + quoted(test::program().string());
  for (const std::string& arg : args) line += " " + quoted(arg);
  line += " >" + quoted((directory / "out").string()) + " 2>" + quoted((directory / "err").string());
  const int status = std::system(line.c_str());
  return {.code = WIFEXITED(status) ? WEXITSTATUS(status) : -1,
          .out = read_file(directory / "out"),
          .err = read_file(directory / "err")};
}

}  // namespace vkgpt::cli
