#include "cli/data/zip_file.hpp"

#include <algorithm>
#include <array>
#include <cstddef>
#include <filesystem>
#include <limits>
#include <optional>
#include <span>
#include <system_error>

#include <zlib.h>

#include "vkgpt/core/check.hpp"
#include "vkgpt/core/error.hpp"
#include "vkgpt/core/format.hpp"
#include "vkgpt/core/interrupt.hpp"
#include "vkgpt/core/utf8.hpp"

namespace vkgpt::cli {
namespace {

constexpr std::uint32_t kEndMark = 0x06054b50, kEntryMark = 0x02014b50, kMemberMark = 0x04034b50;
constexpr std::size_t kEndBytes = 22, kEntryBytes = 46, kMemberBytes = 30;
constexpr std::uint16_t kStored = 0, kDeflated = 8, kEncrypted = 1;
constexpr std::uint64_t kMostComment = std::numeric_limits<std::uint16_t>::max();
constexpr std::uint64_t kMostDirectory = std::uint64_t{64} << 20;
constexpr std::size_t kPiece = 256 << 10;

/// The number of `bytes` bytes at `at`, little-endian.
std::uint32_t number(std::span<const std::byte> data, std::size_t at, std::size_t bytes) {
  VKGPT_CHECK(at + bytes <= data.size(), "{} of {}", at, data.size());
  std::uint32_t value = 0;
  for (std::size_t i = 0; i < bytes; ++i) value |= std::to_integer<std::uint32_t>(data[at + i]) << (8 * i);
  return value;
}

std::uint16_t half_word(std::span<const std::byte> data, std::size_t at) {
  return static_cast<std::uint16_t>(number(data, at, 2));
}

std::string text(std::span<const std::byte> data) {
  std::string result(data.size(), '\0');
  std::ranges::transform(data, result.begin(), [](std::byte each) { return static_cast<char>(each); });
  return result;
}

/// What a member's bytes become, piece by piece.
class Unpacked {
 public:
  Unpacked(std::uint16_t method, OutputFile& out, std::uint64_t size) : out_(out), left_(size) {
    if (method == kDeflated) VKGPT_CHECK(inflateInit2(&stream_.emplace(), -MAX_WBITS) == Z_OK);
  }
  Unpacked(const Unpacked&) = delete;
  Unpacked& operator=(const Unpacked&) = delete;
  ~Unpacked() {
    if (stream_) inflateEnd(&*stream_);
  }

  /// False where the piece is damaged, or there is more than the directory says.
  bool add(std::span<std::byte> piece) {
    if (!stream_) return put(piece);
    stream_->next_in = reinterpret_cast<Bytef*>(piece.data());
    stream_->avail_in = static_cast<uInt>(piece.size());
    do {
      if (ended_) return stream_->avail_in == 0;
      stream_->next_out = reinterpret_cast<Bytef*>(buffer_.data());
      stream_->avail_out = static_cast<uInt>(buffer_.size());
      const int code = inflate(&*stream_, Z_NO_FLUSH);
      if (code == Z_BUF_ERROR && stream_->avail_in == 0) return true;  // all was written before
      if (code != Z_OK && code != Z_STREAM_END) return false;
      if (!put(std::span(buffer_).first(buffer_.size() - stream_->avail_out))) return false;
      ended_ = code == Z_STREAM_END;
    } while (stream_->avail_in > 0 || stream_->avail_out == 0);
    return true;
  }

  bool is_whole(std::uint32_t crc) const { return left_ == 0 && (!stream_ || ended_) && crc_ == crc; }

 private:
  bool put(std::span<const std::byte> bytes) {
    if (bytes.size() > left_) return false;
    left_ -= bytes.size();
    crc_ = ::crc32(crc_, reinterpret_cast<const Bytef*>(bytes.data()), static_cast<uInt>(bytes.size()));
    out_.write(bytes);
    return true;
  }

  OutputFile& out_;
  std::uint64_t left_;
  std::optional<z_stream> stream_;
  bool ended_ = false;
  uLong crc_ = ::crc32(0, nullptr, 0);
  std::vector<std::byte> buffer_ = std::vector<std::byte>(kPiece);
};

}  // namespace

ZipFile::ZipFile(const Path& path) : file_(path) {
  if (file_.size() < kEndBytes) damaged("its end is missing");
  std::vector<std::byte> tail(std::min<std::uint64_t>(file_.size(), kEndBytes + kMostComment));
  const std::uint64_t start = file_.size() - tail.size();
  file_.read_at(start, tail);
  for (std::size_t at = tail.size() - kEndBytes;; --at) {
    const auto end = std::span(tail).subspan(at);
    if (number(end, 0, 4) == kEndMark && half_word(end, 20) == end.size() - kEndBytes) {
      const std::uint32_t size = number(end, 12, 4), offset = number(end, 16, 4);
      if (half_word(end, 4) != 0 || half_word(end, 6) != 0 || half_word(end, 8) != half_word(end, 10)) {
        damaged("it is one of several parts");
      }
      if (half_word(end, 10) == std::numeric_limits<std::uint16_t>::max() ||
          size == std::numeric_limits<std::uint32_t>::max() ||
          offset == std::numeric_limits<std::uint32_t>::max()) {
        damaged("it is in the zip64 form");
      }
      directory_ = offset;
      if (directory_ + size > start + at) damaged("its directory is not before its end");
      read_directory(size, half_word(end, 10));
      return;
    }
    if (at == 0) damaged("its end is missing");
  }
}

void ZipFile::read_directory(std::uint64_t size, std::size_t count) {
  if (size > kMostDirectory) damaged(vkgpt::format("its directory has {} bytes", size));
  std::vector<std::byte> bytes(size);
  file_.read_at(directory_, bytes);
  auto rest = std::span<const std::byte>(bytes);
  for (std::size_t i = 0; i < count; ++i) {
    if (rest.size() < kEntryBytes || number(rest, 0, 4) != kEntryMark) {
      damaged(vkgpt::format("entry {} of its directory is broken", i + 1));
    }
    const std::size_t name = half_word(rest, 28);
    const std::size_t whole = kEntryBytes + name + half_word(rest, 30) + half_word(rest, 32);
    if (rest.size() < whole) damaged(vkgpt::format("entry {} of its directory is cut off", i + 1));
    members_.push_back({.name = text(rest.subspan(kEntryBytes, name)),
                        .flags = half_word(rest, 8),
                        .method = half_word(rest, 10),
                        .crc = number(rest, 16, 4),
                        .packed = number(rest, 20, 4),
                        .size = number(rest, 24, 4),
                        .offset = number(rest, 42, 4)});
    rest = rest.subspan(whole);
  }
}

void ZipFile::extract(std::string_view name, const Path& path) const {
  const Path part = Path(path) += ".part";
  try {
    unpack(find(name), part);
  } catch (...) {
    std::error_code ignored;
    std::filesystem::remove(part, ignored);
    throw;
  }
  rename_path(part, path);
}

void ZipFile::unpack(const Member& member, const Path& path) const {
  std::uint64_t offset = data_offset(member);
  OutputFile out(path);
  Unpacked unpacked(member.method, out, member.size);
  std::vector<std::byte> piece;
  for (std::uint64_t left = member.packed; left > 0; left -= piece.size()) {
    if (interrupted()) throw Error("interrupted; run it again to continue", ExitCode::kInterrupted);
    piece.resize(std::min<std::uint64_t>(left, kPiece));
    file_.read_at(offset, piece);
    offset += piece.size();
    if (!unpacked.add(piece)) damaged(vkgpt::format("member {} is broken", printable(member.name, 200)));
  }
  if (!unpacked.is_whole(member.crc)) {
    damaged(vkgpt::format("member {} is not what its size and checksum say", printable(member.name, 200)));
  }
  out.finish();
}

const ZipFile::Member& ZipFile::find(std::string_view name) const {
  const auto found = std::ranges::find(members_, name, &Member::name);
  if (found == members_.end()) damaged(vkgpt::format("it has no member {}", printable(name, 200)));
  if ((found->flags & kEncrypted) != 0 || (found->method != kStored && found->method != kDeflated)) {
    damaged(
        vkgpt::format("member {} is encrypted or packed in another way than deflate", printable(name, 200)));
  }
  return *found;
}

/// Where a member's bytes begin; what its own header says again is not needed but for that.
std::uint64_t ZipFile::data_offset(const Member& member) const {
  const auto broken = [&] { damaged(vkgpt::format("member {} lies outside", printable(member.name, 200))); };
  if (member.offset + kMemberBytes > directory_) broken();
  std::array<std::byte, kMemberBytes> header;
  file_.read_at(member.offset, header);
  if (number(header, 0, 4) != kMemberMark) broken();
  const std::uint64_t begin = member.offset + kMemberBytes + half_word(header, 26) + half_word(header, 28);
  if (begin + member.packed > directory_) broken();
  return begin;
}

void ZipFile::damaged(std::string_view what) const {
  fail("{}: not a whole zip archive that can be read: {}", printable(file_.path().string(), 200), what);
}

}  // namespace vkgpt::cli
