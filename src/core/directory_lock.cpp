#include "vkgpt/core/directory_lock.hpp"

#include <cerrno>

#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>

#include "vkgpt/core/error.hpp"
#include "vkgpt/core/utf8.hpp"

namespace vkgpt {

DirectoryLock::DirectoryLock(const Path& directory, std::string_view work)
    : fd_(::open(directory.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC)) {
  if (fd_ < 0) throw IoError("open directory", directory, errno);
  if (::flock(fd_, LOCK_EX | LOCK_NB) != 0 && errno == EWOULDBLOCK) {
    ::close(fd_);
    fail("another process is {} {}; wait for it or choose another directory", work,
         printable(directory.string(), 200));
  }
}

DirectoryLock::DirectoryLock(const Path& directory)
    : fd_(::open(directory.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC)) {
  if (fd_ < 0) throw IoError("open directory", directory, errno);
  while (::flock(fd_, LOCK_EX) != 0 && errno == EINTR) {
  }
}

DirectoryLock::~DirectoryLock() {
  ::close(fd_);
}

}  // namespace vkgpt
