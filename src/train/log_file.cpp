#include "vkgpt/train/log_file.hpp"

#include <algorithm>
#include <cerrno>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>
#include <string>
#include <utility>

#include <fcntl.h>
#include <unistd.h>

#include "vkgpt/core/log.hpp"

namespace vkgpt::train {
namespace {

constexpr std::size_t kLogBlock = std::size_t{1} << 20;  // bytes

}  // namespace

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

void for_each_line(const Path& path, const std::function<void(std::string_view)>& take) {
  const InputFile file(path);
  std::string text;  // of lines that are not taken yet
  for (std::uint64_t at = 0; at < file.size();) {
    const std::size_t left_over = text.size();
    text.resize(left_over + std::min<std::uint64_t>(kLogBlock, file.size() - at));
    const std::span<char> block = std::span(text).subspan(left_over);
    file.read_at(at, std::as_writable_bytes(block));
    at += block.size();
    std::size_t begin = 0;
    for (std::size_t end = 0; (end = text.find('\n', std::max(begin, left_over))) != std::string::npos;) {
      take(std::string_view(text).substr(begin, end + 1 - begin));
      begin = end + 1;
    }
    text.erase(0, begin);
  }
  if (!text.empty()) take(text);
}

void replace_log(const Path& path,
                 const std::function<void(const std::function<void(std::string_view)>&)>& fill) {
  const Path temporary = Path(path) += ".tmp";
  try {
    OutputFile file(temporary);
    std::string block;
    fill([&](std::string_view text) {
      block += text;
      if (block.size() < kLogBlock) return;
      file.write(block);
      block.clear();
    });
    file.write(block);
    file.finish();
    rename_path(temporary, path);
  } catch (const IoError&) {
    FileSystem::real().remove(temporary);
    throw;
  }
  sync_directory(path.parent_path());
}

}  // namespace vkgpt::train
