#pragma once

#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "vkgpt/core/file.hpp"

namespace vkgpt::cli {

/// Runs a program of the PATH, its output discarded; its exit code, or nothing where there is no such
/// program. `on_wait` is called ten times a second meanwhile. A signal to this process ends the program, and
/// so does this process's own end.
std::optional<int> run_process(std::vector<std::string> words, const std::function<void()>& on_wait = {});

/// A program that runs beside this one, at a lower priority, and ends with it, in its own way. Its standard
/// error is this process's, or discarded.
class Companion {
 public:
  enum class Errors { kShown, kDiscarded };

  explicit Companion(std::vector<std::string> words, Errors errors = Errors::kShown);
  ~Companion();
  Companion(const Companion&) = delete;
  Companion& operator=(const Companion&) = delete;

 private:
  int child_;
};

/// The first line that a program of the PATH writes to its standard output; nothing where there is no such
/// program.
std::optional<std::string> first_line_of(std::vector<std::string> words);

/// Runs a launcher of ranks on this process's standard streams, but for its input, in a process group of its
/// own. What the launcher itself says about ranks that ended, between lines of dashes, is left out. The first
/// signal that arrives here is handed on to the ranks as SIGUSR1. It ends when this process
/// does. Its exit code, 128 + N after a signal N.
int run_ranks(std::vector<std::string> words);

/// Runs a long child with its own process group, so that Ctrl-C reaches this process alone; what arrives here
/// is handed on once, and the child ends in its own way. It also ends when this process dies. Standard output
/// goes to a new file `out`, standard error to the end of `err`. Its exit code, 128 + N after a signal N.
int run_supervised(std::vector<std::string> words, const Path& out, const Path& err);

}  // namespace vkgpt::cli
