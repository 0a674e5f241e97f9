#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>

#include "vkgpt/core/file.hpp"

namespace vkgpt::text {

/// Whether a file that begins so is one that `Unpacker` reads: gzip's or Zstandard's.
bool is_packed(std::string_view begin);

/// Reads a compressed file as what was packed into it, once and in little memory: gzip's and Zstandard's
/// files, several behind each other too.
class Unpacker {
 public:
  /// Throws `Error` where the file cannot be opened and where it is neither.
  explicit Unpacker(const Path& path);
  Unpacker(Unpacker&&) noexcept;
  Unpacker& operator=(Unpacker&&) noexcept;
  ~Unpacker();

  const Path& path() const;
  /// Fills `out` with the next bytes, all of it before the end; gives their number. Throws `Error` for data
  /// that are damaged or cut off.
  std::size_t read(std::span<char> out);
  /// Reads to the end without keeping anything; gives the number of bytes. Throws like `read`, and an
  /// interruption (exit 130).
  std::uint64_t skip_rest();

 private:
  class Stream;
  std::unique_ptr<Stream> stream_;
};

/// All that was packed into a file. Throws where that is more than `max_bytes`.
std::string unpack_file(const Path& path, std::uint64_t max_bytes);

}  // namespace vkgpt::text
