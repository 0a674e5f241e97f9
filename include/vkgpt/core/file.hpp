#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <format>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include <sys/types.h>

#include "vkgpt/core/error.hpp"
#include "vkgpt/core/hash.hpp"

namespace vkgpt {

using Path = std::filesystem::path;

/// A system call on a file failed. The message names the operation, the path, the reason and the remedy.
class IoError : public Error {
 public:
  /// `operation` completes "cannot ...", e.g. "write"; `code` is an errno value.
  IoError(std::string_view operation, const Path& path, int code);

  int code() const { return code_; }

 private:
  int code_;
};

/// The system calls that every durable write is made of: the one seam through which tests make the k-th
/// write, fsync or rename fail, lie or come short. Results follow POSIX: negative means failure, with `errno`
/// set.
class FileSystem {
 public:
  virtual ~FileSystem() = default;

  /// Opens `path` for writing, emptied; the descriptor is the caller's to close.
  virtual int create(const Path& path);
  virtual ssize_t write(int fd, std::span<const std::byte> bytes);
  virtual int sync(int fd);
  virtual int rename(const Path& from, const Path& to);
  virtual int make_directory(const Path& path);
  /// Removes one file, link or empty directory.
  virtual int remove(const Path& path);

  /// The implementation that calls the operating system.
  static FileSystem& real();
};

/// A file being written. Nothing counts as written before `finish` returned; the destructor closes without
/// it.
class OutputFile {
 public:
  /// Creates or empties `path`. Throws `IoError`.
  explicit OutputFile(const Path& path, FileSystem& file_system = FileSystem::real());
  OutputFile(OutputFile&& other) noexcept;
  OutputFile& operator=(OutputFile&&) = delete;
  ~OutputFile();

  /// Appends. Throws `IoError`.
  void write(std::span<const std::byte> bytes);
  void write(std::string_view text) { write(std::as_bytes(std::span(text))); }
  /// Makes the bytes durable (fsync) and closes. Throws `IoError`.
  void finish();

  /// From now on every byte also goes into `hash`, which must outlive this file.
  void hash_into(Sha256* hash) { hash_ = hash; }
  const Path& path() const { return path_; }
  /// Bytes appended so far.
  std::uint64_t size() const { return size_; }

 private:
  FileSystem* file_system_;
  Path path_;
  int fd_ = -1;
  std::uint64_t size_ = 0;
  Sha256* hash_ = nullptr;
};

/// A regular file open for reading at any offset; safe from several threads.
class InputFile {
 public:
  /// Throws `IoError` when `path` cannot be opened and `Error` when it is not a regular file.
  explicit InputFile(const Path& path);
  InputFile(InputFile&& other) noexcept;
  InputFile& operator=(InputFile&&) = delete;
  ~InputFile();

  /// Fills `out` from byte `offset`. Throws when the file ends before that.
  void read_at(std::uint64_t offset, std::span<std::byte> out) const;

  const Path& path() const { return path_; }
  /// Bytes, as of opening.
  std::uint64_t size() const { return size_; }
  /// Open as long as this object lives.
  int descriptor() const { return fd_; }

 private:
  Path path_;
  int fd_ = -1;
  std::uint64_t size_ = 0;
};

/// The whole file. Files above `max_bytes` are refused before anything is allocated.
std::string read_file(const Path& path, std::uint64_t max_bytes = std::uint64_t{1} << 30);

/// Writes and fsyncs. The directory entry itself is durable only after `sync_directory` of the parent.
void write_file(const Path& path, std::string_view contents, FileSystem& file_system = FileSystem::real());

/// Replaces `path` so that a reader, or a crash at any point, sees the old contents or the new, never a
/// mixture: `path` + ".tmp" is written, fsynced and renamed, then the parent is fsynced.
void replace_file(const Path& path, std::string_view contents, FileSystem& file_system = FileSystem::real());

/// Atomically renames within one file system; makes nothing durable.
void rename_path(const Path& from, const Path& to, FileSystem& file_system = FileSystem::real());

/// Makes the entries of `directory` durable.
void sync_directory(const Path& directory, FileSystem& file_system = FileSystem::real());

/// Creates `directory` and its missing parents; it is fine when it exists.
void make_directories(const Path& directory, FileSystem& file_system = FileSystem::real());

/// A name of which nothing is there yet, for what shall become `path` once it is whole: beside it, and of
/// this process alone.
Path temporary_beside(const Path& path);

/// Removes a file or a whole tree, never following links; it is fine when nothing is there.
void remove_tree(const Path& path, FileSystem& file_system = FileSystem::real());

/// Entries of `directory` (full paths), sorted by name.
std::vector<Path> list_directory(const Path& directory);

/// SHA-256 of a file's contents, as 64 hexadecimal digits.
std::string sha256_file(const Path& path);

}  // namespace vkgpt
