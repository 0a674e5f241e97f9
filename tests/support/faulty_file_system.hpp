#pragma once

#include <cerrno>
#include <string>
#include <vector>

#include <sys/stat.h>

#include "vkgpt/core/file.hpp"

namespace vkgpt {

/// What happens at the chosen operation.
enum class Fault {
  kNone,
  kError,     // it fails with `code`; a write first stores half of its bytes, as on a disk that fills up
  kTruncate,  // a write stores half of its bytes and claims success; other operations fail
  kCorrupt,   // a write stores one flipped bit and claims success; other operations fail
  kCrash,     // it and everything after it fails, clean-up included, as if the process had died there
};

/// The real file system with a fault at the k-th durable operation (counted from 1).
class FaultyFileSystem : public FileSystem {
 public:
  FaultyFileSystem() = default;
  FaultyFileSystem(Fault fault, int k, int code = ENOSPC) : fault_(fault), k_(k), code_(code) {}

  /// Durable operations seen so far.
  int count() const { return count_; }
  bool fired() const { return fired_; }

  int create(const Path& path) override { return broken() ? refuse() : FileSystem::create(path); }
  /// Counted but not passed on: no test pulls the plug, and thousands of real ones take minutes.
  int sync(int /*fd*/) override { return broken() ? refuse() : 0; }
  int rename(const Path& from, const Path& to) override {
    return broken() ? refuse() : FileSystem::rename(from, to);
  }
  int make_directory(const Path& path) override {
    return broken() ? refuse() : FileSystem::make_directory(path);
  }
  int remove(const Path& path) override { return broken() ? refuse() : FileSystem::remove(path); }

  ssize_t write(int fd, std::span<const std::byte> bytes) override {
    if (!broken()) return FileSystem::write(fd, bytes);
    if (fault_ == Fault::kCorrupt) {
      std::vector<std::byte> changed(bytes.begin(), bytes.end());
      if (!changed.empty()) changed[changed.size() / 2] ^= std::byte{1};
      return FileSystem::write(fd, changed);
    }
    if (fault_ != Fault::kCrash || count_ == k_) {
      const auto half = bytes.first(bytes.size() / 2);
      if (FileSystem::write(fd, half) < 0) return -1;
    }
    return fault_ == Fault::kTruncate ? static_cast<ssize_t>(bytes.size()) : refuse();
  }

 private:
  bool broken() {
    ++count_;
    const bool now = fault_ != Fault::kNone && (count_ == k_ || (fault_ == Fault::kCrash && count_ > k_));
    fired_ = fired_ || now;
    return now;
  }
  int refuse() const {
    errno = code_;
    return -1;
  }

  Fault fault_ = Fault::kNone;
  int k_ = 0;
  int code_ = 0;
  int count_ = 0;
  bool fired_ = false;
};

}  // namespace vkgpt
