#include "vkgpt/core/file.hpp"

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <system_error>
#include <utility>

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "vkgpt/core/format.hpp"
#include "vkgpt/core/utf8.hpp"

namespace vkgpt {
namespace {

std::string_view remedy(int code) {
  switch (code) {
    case ENOENT:
      return "check the path";
    case ENOTDIR:
      return "a part of the path is not a directory";
    case EISDIR:
      return "name a file";
    case EACCES:
    case EPERM:
      return "check the permissions";
    case ENOSPC:
    case EDQUOT:
      return "free some space or choose another directory";
    case EROFS:
      return "choose a directory on a writable file system";
    case EMFILE:
    case ENFILE:
      return "raise the limit of open files (ulimit -n)";
    case EFBIG:
      return "raise the limit of file sizes (ulimit -f) or choose another file system";
    case EIO:
      return "the disk or its connection may be failing";
    case EEXIST:
      return "something is in the way: move it";
    default:
      return "check the file system";
  }
}

// Some file systems refuse fsync on directories; they order renames by themselves.
bool sync_unsupported(int code) {
  return code == EINVAL || code == ENOTSUP;
}

}  // namespace

IoError::IoError(std::string_view operation, const Path& path, int code)
    : Error(vkgpt::format("cannot {} {}: {}; {}", operation, printable(path.string(), 200),
                          std::generic_category().message(code), remedy(code))),
      code_(code) {}

int FileSystem::create(const Path& path) {
  return ::open(path.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
}

ssize_t FileSystem::write(int fd, std::span<const std::byte> bytes) {
  return ::write(fd, bytes.data(), bytes.size());
}

int FileSystem::sync(int fd) {
  return ::fsync(fd);
}

int FileSystem::rename(const Path& from, const Path& to) {
  return ::rename(from.c_str(), to.c_str());
}

int FileSystem::make_directory(const Path& path) {
  return ::mkdir(path.c_str(), 0777);
}

int FileSystem::remove(const Path& path) {
  return ::remove(path.c_str());
}

FileSystem& FileSystem::real() {
  static FileSystem file_system;
  return file_system;
}

OutputFile::OutputFile(const Path& path, FileSystem& file_system)
    : file_system_(&file_system), path_(path), fd_(file_system.create(path)) {
  if (fd_ < 0) throw IoError("create", path_, errno);
}

OutputFile::OutputFile(OutputFile&& other) noexcept
    : file_system_(other.file_system_),
      path_(std::move(other.path_)),
      fd_(std::exchange(other.fd_, -1)),
      size_(other.size_),
      hash_(other.hash_) {}

OutputFile::~OutputFile() {
  if (fd_ >= 0) ::close(fd_);
}

void OutputFile::write(std::span<const std::byte> bytes) {
  if (hash_ != nullptr) hash_->update(bytes);
  while (!bytes.empty()) {
    // Linux transfers at most 2^31 - 4096 bytes a call; smaller pieces also keep an interrupt responsive.
    const ssize_t n = file_system_->write(fd_, bytes.first(std::min<std::size_t>(bytes.size(), 64U << 20)));
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) throw IoError("write", path_, n == 0 ? ENOSPC : errno);
    bytes = bytes.subspan(static_cast<std::size_t>(n));
    size_ += static_cast<std::uint64_t>(n);
  }
}

void OutputFile::finish() {
  if (file_system_->sync(fd_) != 0) throw IoError("fsync", path_, errno);
  if (::close(std::exchange(fd_, -1)) != 0 && errno != EINTR) throw IoError("close", path_, errno);
}

InputFile::InputFile(const Path& path) : path_(path) {
  // Without O_NONBLOCK, opening a pipe that nobody writes to would hang.
  fd_ = ::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK);
  if (fd_ < 0) throw IoError("open", path, errno);
  struct stat info{};
  const int code = ::fstat(fd_, &info) != 0 ? errno : 0;
  if (code == 0 && S_ISREG(info.st_mode)) {
    size_ = static_cast<std::uint64_t>(info.st_size);
    return;
  }
  ::close(fd_);
  if (code != 0) throw IoError("inspect", path, code);
  if (S_ISDIR(info.st_mode)) throw IoError("read", path, EISDIR);
  fail("cannot read {}: it is not a regular file; copy its contents into one", path.string());
}

InputFile::InputFile(InputFile&& other) noexcept
    : path_(std::move(other.path_)), fd_(std::exchange(other.fd_, -1)), size_(other.size_) {}

InputFile::~InputFile() {
  if (fd_ >= 0) ::close(fd_);
}

void InputFile::read_at(std::uint64_t offset, std::span<std::byte> out) const {
  while (!out.empty()) {
    const std::size_t piece = std::min<std::size_t>(out.size(), 64U << 20);
    const ssize_t n = ::pread(fd_, out.data(), piece, static_cast<off_t>(offset));
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) throw IoError("read", path_, errno);
    if (n == 0) {
      fail("cannot read {}: {} bytes are needed at byte {}, where it has ended: it was cut off",
           printable(path_.string(), 200), out.size(), offset);
    }
    out = out.subspan(static_cast<std::size_t>(n));
    offset += static_cast<std::uint64_t>(n);
  }
}

std::string read_file(const Path& path, std::uint64_t max_bytes) {
  const InputFile file(path);
  if (file.size() > max_bytes) {
    fail("cannot read {}: it has {} bytes, more than the {} allowed here; check that it is the right file",
         path.string(), file.size(), max_bytes);
  }
  std::string contents(file.size(), '\0');
  file.read_at(0, std::as_writable_bytes(std::span(contents)));
  return contents;
}

void write_file(const Path& path, std::string_view contents, FileSystem& file_system) {
  OutputFile file(path, file_system);
  file.write(contents);
  file.finish();
}

void replace_file(const Path& path, std::string_view contents, FileSystem& file_system) {
  std::error_code ignored;
  const std::filesystem::file_status status = std::filesystem::status(path, ignored);
  if (std::filesystem::is_directory(status)) throw IoError("write", path, EISDIR);
  if (std::filesystem::is_other(status)) {  // a device or a pipe stays what it is
    OutputFile(path, file_system).write(contents);
    return;
  }
  const Path temporary = Path(path) += ".tmp";
  try {
    write_file(temporary, contents, file_system);
    rename_path(temporary, path, file_system);
  } catch (const IoError&) {
    file_system.remove(temporary);
    throw;
  }
  sync_directory(path.parent_path(), file_system);
}

void rename_path(const Path& from, const Path& to, FileSystem& file_system) {
  if (file_system.rename(from, to) != 0) {
    throw IoError(vkgpt::format("rename {} to", from.string()), to, errno);
  }
}

void sync_directory(const Path& directory, FileSystem& file_system) {
  const Path name = directory.empty() ? Path(".") : directory;
  const int fd = ::open(name.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (fd < 0) throw IoError("open directory", name, errno);
  const int code = file_system.sync(fd) != 0 ? errno : 0;
  ::close(fd);
  if (code != 0 && !sync_unsupported(code)) throw IoError("fsync directory", name, code);
}

void make_directories(const Path& directory, FileSystem& file_system) {
  std::error_code error;
  if (directory.empty() || std::filesystem::is_directory(directory, error)) return;
  make_directories(directory.parent_path(), file_system);
  if (file_system.make_directory(directory) != 0) {
    const int code = errno;
    if (code == EEXIST && std::filesystem::is_directory(directory, error)) return;
    throw IoError("create directory", directory, code);
  }
}

Path temporary_beside(const Path& path) {
  const Path named = path.has_filename() ? path : path.parent_path();
  std::error_code ignored;
  for (int i = 0;; ++i) {
    const std::string number = i == 0 ? "" : vkgpt::format("-{}", i);
    Path temporary = Path(named) += vkgpt::format(".{}{}.tmp", getpid(), number);
    if (!std::filesystem::exists(std::filesystem::symlink_status(temporary, ignored))) return temporary;
  }
}

void remove_tree(const Path& path, FileSystem& file_system) {
  std::error_code error;
  const std::filesystem::file_status status = std::filesystem::symlink_status(path, error);
  if (status.type() == std::filesystem::file_type::not_found) return;
  if (status.type() == std::filesystem::file_type::directory) {
    for (const Path& entry : list_directory(path)) remove_tree(entry, file_system);
  }
  if (file_system.remove(path) != 0 && errno != ENOENT) throw IoError("remove", path, errno);
}

std::vector<Path> list_directory(const Path& directory) {
  std::error_code error;
  std::vector<Path> entries;
  for (std::filesystem::directory_iterator it(directory, error), end; !error && it != end;
       it.increment(error)) {
    entries.push_back(it->path());
  }
  if (error) throw IoError("list directory", directory, error.value());
  std::ranges::sort(entries);
  return entries;
}

std::string sha256_file(const Path& path) {
  const InputFile file(path);
  std::vector<std::byte> buffer(std::min<std::uint64_t>(file.size(), 1U << 20));
  Sha256 hash;
  for (std::uint64_t offset = 0; offset < file.size(); offset += buffer.size()) {
    const std::uint64_t left = file.size() - offset;
    const auto piece = std::span(buffer).first(std::min<std::uint64_t>(buffer.size(), left));
    file.read_at(offset, piece);
    hash.update(piece);
  }
  return hash.hex();
}

}  // namespace vkgpt
