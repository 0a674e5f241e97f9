#include <cerrno>
#include <chrono>
#include <cstddef>
#include <cstdio>
#include <cstring>
#include <exception>
#include <new>
#include <string>
#include <thread>
#include <vector>

#include <fcntl.h>

#include "vkgpt/comm/communicator.hpp"
#include "vkgpt/core/error.hpp"
#include "vkgpt/core/format.hpp"
#include "vkgpt/core/log_prefix.hpp"
#include "vkgpt/core/message.hpp"
#include "vkgpt/core/process_limits.hpp"

#include "cli/commands.hpp"

namespace {

int report(const std::string& message, vkgpt::ExitCode code) {
  const std::string line =
      vkgpt::format("{}vkgpt: error: {}\n", vkgpt::log_prefix(), vkgpt::message_line(message));
  std::fflush(stdout);
  if (message.empty()) return static_cast<int>(code);  // another rank says it
  std::fwrite(line.data(), 1, line.size(), stderr);
  // mpirun drops what it has not read of a process that failed.
  if (vkgpt::comm::has_launcher()) std::this_thread::sleep_for(std::chrono::milliseconds(200));
  return static_cast<int>(code);
}

/// Standard streams that were closed at the start: a file that takes their number would receive messages.
void open_missing_streams() {
  for (int fd = 0; fd <= 2; ++fd) {
    if (fcntl(fd, F_GETFD) == -1 && errno == EBADF) open("/dev/null", O_RDWR);
  }
}

}  // namespace

/// The only place where errors are caught.
int main(int argc, char** argv) {
  open_missing_streams();
  vkgpt::settle_process_limits();
  try {
    const std::vector<std::string> args(argv + (argc > 0 ? 1 : 0), argv + argc);
    const int code = vkgpt::cli::run_program(args);
    if (std::fflush(stdout) != 0 || std::ferror(stdout) != 0) {
      vkgpt::fail("cannot write to standard output: {}", std::strerror(errno));
    }
    return code;
  } catch (const vkgpt::Error& error) {
    return report(error.what(), error.exit_code());
  } catch (const std::bad_array_new_length&) {
    return report("internal error: a size that no memory has", vkgpt::ExitCode::kFailure);
  } catch (const std::bad_alloc&) {
    return report("out of memory: try a smaller model or batch", vkgpt::ExitCode::kFailure);
  } catch (const std::exception& error) {
    return report(error.what(), vkgpt::ExitCode::kFailure);
  }
}
