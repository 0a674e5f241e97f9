#pragma once

#include <chrono>
#include <string>
#include <string_view>
#include <vector>

#include <sys/types.h>

namespace vkgpt::test {

/// The program on a terminal of its own, which does not echo; it is killed with this.
class Terminal {
 public:
  explicit Terminal(const std::vector<std::string>& args);
  ~Terminal();
  Terminal(const Terminal&) = delete;
  Terminal& operator=(const Terminal&) = delete;

  void send(std::string_view text) const;
  void signal(int number) const;
  /// What it writes until `end` is in it, it ends or the time is over.
  std::string read_until(std::string_view end, std::chrono::seconds most = std::chrono::seconds(60)) const;
  /// Its exit code; -1 after a signal, -2 where it did not end in time.
  int wait(std::chrono::seconds most = std::chrono::seconds(20));

 private:
  pid_t child_ = 0;
  int terminal_ = -1;
};

}  // namespace vkgpt::test
