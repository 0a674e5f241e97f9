#pragma once

#include <cstddef>
#include <span>

#include <sys/types.h>

#include "vkgpt/core/error.hpp"
#include "vkgpt/core/file.hpp"
#include "vkgpt/core/interrupt.hpp"

namespace vkgpt::cli {

/// Ends the writing of a model at the next piece that is written once a signal has arrived.
class PolledFileSystem final : public FileSystem {
 public:
  ssize_t write(int fd, std::span<const std::byte> bytes) override {
    if (interrupted()) throw Error("interrupted; nothing was written", ExitCode::kInterrupted);
    return FileSystem::write(fd, bytes);
  }
};

}  // namespace vkgpt::cli
