#include <cerrno>
#include <cstdio>
#include <cstring>
#include <exception>
#include <format>
#include <new>
#include <string>
#include <vector>

#include "vkgpt/core/error.hpp"

#include "cli/command/commands.hpp"

namespace {

int report(const std::string& message, vkgpt::ExitCode code) {
  const std::string line = std::format("vkgpt: error: {}\n", message);
  std::fflush(stdout);
  std::fwrite(line.data(), 1, line.size(), stderr);
  return static_cast<int>(code);
}

}  // namespace

/// The only place where errors are caught.
int main(int argc, char** argv) {
  try {
    const std::vector<std::string> args(argv + (argc > 0 ? 1 : 0), argv + argc);
    const int code = vkgpt::cli::run_program(args);
    if (std::fflush(stdout) != 0 || std::ferror(stdout) != 0) {
      vkgpt::fail("cannot write to standard output: {}", std::strerror(errno));
    }
    return code;
  } catch (const vkgpt::Error& error) {
    return report(error.what(), error.exit_code());
  } catch (const std::bad_alloc&) {
    return report("out of memory: try a smaller model or batch", vkgpt::ExitCode::kFailure);
  } catch (const std::exception& error) {
    return report(error.what(), vkgpt::ExitCode::kFailure);
  }
}
