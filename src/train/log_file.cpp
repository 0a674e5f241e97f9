#include "vkgpt/train/log_file.hpp"

#include <cerrno>
#include <cstddef>
#include <cstring>
#include <utility>

#include <fcntl.h>
#include <unistd.h>

#include "vkgpt/core/log.hpp"

namespace vkgpt::train {

LogFile::LogFile(const Path& path)
    : path_(path), fd_(::open(path.c_str(), O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0666)) {
  if (fd_ < 0) throw IoError("open", path, errno);
}

LogFile::LogFile(LogFile&& other) noexcept
    : path_(std::move(other.path_)),
      fd_(std::exchange(other.fd_, -1)),
      torn_(other.torn_),
      warned_(other.warned_) {}

LogFile::~LogFile() {
  if (fd_ >= 0) ::close(fd_);
}

bool LogFile::append(std::string_view text) {
  std::string_view rest = text;
  while (!rest.empty()) {
    const ssize_t n = ::write(fd_, rest.data(), rest.size());
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) break;
    rest.remove_prefix(static_cast<std::size_t>(n));
  }
  if (rest.empty()) {
    torn_ = false;
    return true;
  }
  torn_ = torn_ || rest.size() < text.size();
  if (!std::exchange(warned_, true)) {
    log_warning("cannot write to {}: {}; training goes on without it", path_.string(), std::strerror(errno));
  }
  return false;
}

}  // namespace vkgpt::train
