#include "vkgpt/text/corpus/token_file.hpp"

#include <algorithm>
#include <array>
#include <bit>
#include <cerrno>
#include <cstring>
#include <utility>
#include <vector>

#include <fcntl.h>
#include <unistd.h>

#include "vkgpt/core/error.hpp"
#include "vkgpt/core/utf8.hpp"

#include "text/corpus/file_kind.hpp"

namespace vkgpt::text {
namespace {

static_assert(std::endian::native == std::endian::little, "token files are little-endian");

constexpr std::size_t kHeaderWords = 256;
constexpr std::size_t kHeaderBytes = kHeaderWords * sizeof(std::uint32_t);

struct TokenFormat {
  std::uint32_t magic = 0;
  std::uint32_t version = 0;
  std::size_t token_bytes = 0;
  std::string_view name;
};
constexpr std::array kFormats = {TokenFormat{20240520, 1, 2, "llm.c uint16"},
                                 TokenFormat{20240801, 7, 4, "llm.c uint32"}};

std::uint32_t word(std::span<const std::byte> bytes, std::size_t index) {
  std::uint32_t value = 0;
  std::memcpy(&value, bytes.data() + index * sizeof value, sizeof value);
  return value;
}

/// Files that are given by mistake; a file without a header has nothing else to know it by.
std::string_view other_kind(std::span<const std::byte> bytes) {
  const std::string_view begin(reinterpret_cast<const char*>(bytes.data()),
                               std::min<std::size_t>(bytes.size(), 4096));
  if (begin.starts_with("\x93NUMPY")) return "a NumPy array; write it with tofile()";
  if (begin.starts_with("\x1f\x8b") || begin.starts_with("\x28\xb5\x2f\xfd"))
    return "compressed; unpack it first";
  if (const std::string_view kind = signature_kind(begin); !kind.empty()) return kind;
  const bool is_text = std::ranges::all_of(
      begin, [](char c) { return (c >= ' ' && c <= '~') || c == '\n' || c == '\r' || c == '\t'; });
  // Two bytes of text make a token of 8,224 or more; a real file has a smaller one before long.
  if (begin.size() >= 64 && is_text) return "text, not tokens; give it with --data_path";
  return {};
}

/// Whether 16-bit words are evidently the low and high halves of wider tokens: every second is 0, but not
/// all. Few words say nothing.
bool looks_wide(std::span<const std::byte> bytes) {
  constexpr std::size_t kFewWords = 64;
  if (bytes.size() / 2 < kFewWords) return false;
  bool any = false;
  for (std::size_t i = 0; i + 2 <= bytes.size(); i += 2) {
    const bool is_zero = bytes[i] == std::byte{0} && bytes[i + 1] == std::byte{0};
    if (!is_zero && i % 4 == 2) return false;
    any = any || !is_zero;
  }
  return any;
}

}  // namespace

TokenFile::TokenFile(const Path& path) : file_(path) {
  const std::string name = printable(path.string(), 200);
  if (file_.size() == 0) fail("{} is empty: no tokens", name);
  std::vector<std::byte> begin(std::min<std::uint64_t>(file_.size(), 4096));
  file_.read_at(0, begin);
  if (read_header(begin, name)) return;
  if (const std::string_view kind = other_kind(begin); !kind.empty()) fail("{} is {}", name, kind);
  if (file_.size() % 2 != 0) {
    fail("{}: its {} bytes are no whole number of 16-bit tokens, and it has no header that says otherwise",
         name, file_.size());
  }
  if (looks_wide(begin)) {
    fail("{}: every second 16-bit word of its first {} bytes is 0, as if its tokens had 32 or 64 bits: {}",
         name, begin.size(), kTokenFormats);
  }
  size_ = file_.size() / 2;
  format_ = "uint16 without a header";
}

bool TokenFile::read_header(std::span<const std::byte> begin, const std::string& name) {
  const std::uint32_t magic = begin.size() >= 4 ? word(begin, 0) : 0;
  const auto format = std::ranges::find_if(kFormats, [&](const TokenFormat& known) {
    if (std::byteswap(magic) == known.magic) {
      fail("{}: its header is big-endian; token files are little-endian", name);
    }
    return magic == known.magic;
  });
  if (format == kFormats.end()) return false;
  if (begin.size() < kHeaderBytes) {
    fail("{}: it has {} bytes, less than the header's {}: it is truncated", name, begin.size(), kHeaderBytes);
  }
  if (word(begin, 1) != format->version) {
    fail("{}: version {} of its header is not known; expected {}", name, word(begin, 1), format->version);
  }
  const std::uint64_t expected = kHeaderBytes + std::uint64_t{word(begin, 2)} * format->token_bytes;
  if (file_.size() != expected) {
    fail("{}: it has {} bytes, but its header speaks of {} tokens, which take {}: it is truncated or damaged",
         name, file_.size(), word(begin, 2), expected);
  }
  begin_ = kHeaderBytes;
  size_ = word(begin, 2);
  token_bytes_ = static_cast<int>(format->token_bytes);
  format_ = format->name;
  return true;
}

void TokenFile::read_raw(std::size_t first, std::span<std::byte> out) const {
  file_.read_at(begin_ + first * static_cast<std::uint64_t>(token_bytes_), out);
}

void TokenFile::read(std::size_t first, std::span<Token> out) const {
  if (token_bytes_ == sizeof(Token)) {
    read_raw(first, std::as_writable_bytes(out));
    return;
  }
  std::array<std::uint16_t, 4096> narrow;  // a window, or most of it
  while (!out.empty()) {
    const std::size_t count = std::min(out.size(), narrow.size());
    const std::span<std::uint16_t> piece = std::span(narrow).first(count);
    read_raw(first, std::as_writable_bytes(piece));
    std::ranges::copy(piece, out.begin());
    first += count;
    out = out.subspan(count);
  }
}

int token_bytes(std::int64_t vocab_size) {
  return vocab_size <= 65536 ? 2 : 4;
}

TokenFileWriter::TokenFileWriter(Path path, int token_bytes, std::uint64_t tokens)
    : path_(std::move(path)), part_(Path(path_) += ".part"), token_bytes_(token_bytes), size_(tokens) {
  const auto bytes = static_cast<off_t>(kHeaderBytes + size_ * static_cast<std::uint64_t>(token_bytes_));
  if (tokens > 0 && InputFile(part_).size() < static_cast<std::uint64_t>(bytes)) {
    fail("{} has fewer than the {} tokens that were written to it: remove its directory and start again",
         part_.string(), tokens);
  }
  fd_ = ::open(part_.c_str(), O_WRONLY | O_CREAT | O_CLOEXEC | (tokens == 0 ? O_TRUNC : 0), 0666);
  if (fd_ < 0) throw IoError("create", part_, errno);
  if (::ftruncate(fd_, bytes) != 0) {
    const int code = errno;
    ::close(fd_);
    throw IoError("write", part_, code);
  }
}

TokenFileWriter::TokenFileWriter(TokenFileWriter&& other) noexcept
    : path_(std::move(other.path_)),
      part_(std::move(other.part_)),
      token_bytes_(other.token_bytes_),
      size_(other.size_),
      fd_(std::exchange(other.fd_, -1)) {}

TokenFileWriter::~TokenFileWriter() {
  if (fd_ >= 0) ::close(fd_);
}

void TokenFileWriter::write_at(std::uint64_t offset, std::span<const std::byte> bytes) {
  while (!bytes.empty()) {
    const ssize_t n = ::pwrite(fd_, bytes.data(), bytes.size(), static_cast<off_t>(offset));
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) throw IoError("write", part_, n == 0 ? ENOSPC : errno);
    bytes = bytes.subspan(static_cast<std::size_t>(n));
    offset += static_cast<std::uint64_t>(n);
  }
}

void TokenFileWriter::append(std::span<const Token> tokens) {
  const std::uint64_t offset = kHeaderBytes + size_ * static_cast<std::uint64_t>(token_bytes_);
  if (token_bytes_ == 2) {
    const std::vector<std::uint16_t> narrow(tokens.begin(), tokens.end());
    write_at(offset, std::as_bytes(std::span(narrow)));
  } else {
    write_at(offset, std::as_bytes(tokens));
  }
  size_ += tokens.size();
}

void TokenFileWriter::sync() {
  if (::fsync(fd_) != 0) throw IoError("fsync", part_, errno);
}

std::string TokenFileWriter::finish() {
  const TokenFormat& format = kFormats[token_bytes_ == 2 ? 0 : 1];
  std::array<std::uint32_t, kHeaderWords> header{format.magic, format.version,
                                                 static_cast<std::uint32_t>(size_)};
  write_at(0, std::as_bytes(std::span(header)));
  sync();
  if (::close(std::exchange(fd_, -1)) != 0 && errno != EINTR) throw IoError("close", part_, errno);
  std::string hash = sha256_file(part_);
  rename_path(part_, path_);
  sync_directory(path_.parent_path());
  return hash;
}

}  // namespace vkgpt::text
