#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "vkgpt/core/file.hpp"

namespace vkgpt::cli {

/// A zip archive whose members are taken out by name (format: PKWARE's APPNOTE.TXT, 6.3). Members are stored
/// or deflated; archives in parts, above 4 GiB (zip64) and encrypted members are refused. What a member is
/// called decides nothing but whether it is found.
class ZipFile {
 public:
  /// Reads the directory at the end of the archive. Throws `Error`, one line that names the file, where it is
  /// damaged or not supported.
  explicit ZipFile(const Path& path);

  /// Writes a member to `path`, which gets its name only when size and CRC-32 were right. Throws `Error`, one
  /// line, where there is no such member or it is damaged or not supported; `IoError` where it cannot be
  /// written.
  void extract(std::string_view name, const Path& path) const;

 private:
  struct Member {
    std::string name;
    std::uint16_t flags = 0;
    std::uint16_t method = 0;
    std::uint32_t crc = 0;
    std::uint64_t packed = 0;  // bytes in the archive
    std::uint64_t size = 0;    // bytes as they were
    std::uint64_t offset = 0;  // of the member's own header
  };

  void read_directory(std::uint64_t size, std::size_t count);
  void unpack(const Member& member, const Path& path) const;
  const Member& find(std::string_view name) const;
  std::uint64_t data_offset(const Member& member) const;
  [[noreturn]] void damaged(std::string_view what) const;

  InputFile file_;
  std::uint64_t directory_ = 0;  // where it begins, and members end
  std::vector<Member> members_;
};

}  // namespace vkgpt::cli
