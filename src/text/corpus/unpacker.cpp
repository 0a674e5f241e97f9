#include "text/corpus/unpacker.hpp"

#include <algorithm>
#include <utility>
#include <vector>

#include <zlib.h>
#include <zstd.h>
#include <zstd_errors.h>

#include "vkgpt/core/check.hpp"
#include "vkgpt/core/error.hpp"
#include "vkgpt/core/interrupt.hpp"
#include "vkgpt/core/utf8.hpp"

namespace vkgpt::text {
namespace {

using namespace std::string_view_literals;

constexpr std::string_view kGzip = "\x1f\x8b"sv;
constexpr std::string_view kZstd = "\x28\xb5\x2f\xfd"sv;
constexpr std::size_t kBlockBytes = std::size_t{256} << 10;

/// Its files may begin with a frame to be skipped, as those of pzstd do.
bool is_zstd(std::string_view begin) {
  const bool skips = begin.size() >= kZstd.size() && (static_cast<unsigned char>(begin[0]) & 0xf0U) == 0x50 &&
                     begin.substr(1).starts_with("\x2a\x4d\x18");
  return skips || begin.starts_with(kZstd);
}

/// One of the two formats. `step` moves both spans on; what it leaves of `in` it gets again.
class PackedFormat {
 public:
  virtual ~PackedFormat() = default;

  /// kAtEnd: a packed file ends here, another may follow. kTooWide: it takes too much memory.
  enum class State { kGoing, kAtEnd, kDamaged, kTooWide };
  virtual State step(std::span<const char>& in, std::span<char>& out) = 0;
};

class Gzip : public PackedFormat {
 public:
  Gzip() { VKGPT_CHECK(inflateInit2(&stream_, 16 + MAX_WBITS) == Z_OK); }
  Gzip(const Gzip&) = delete;
  Gzip& operator=(const Gzip&) = delete;
  ~Gzip() override { inflateEnd(&stream_); }

  State step(std::span<const char>& in, std::span<char>& out) override {
    stream_.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(in.data()));
    stream_.avail_in = static_cast<uInt>(in.size());
    stream_.next_out = reinterpret_cast<Bytef*>(out.data());
    stream_.avail_out = static_cast<uInt>(std::min<std::size_t>(out.size(), 1U << 30U));
    const std::size_t room = stream_.avail_out;
    const int code = inflate(&stream_, Z_NO_FLUSH);
    in = in.last(stream_.avail_in);
    out = out.subspan(room - stream_.avail_out);
    if (code == Z_STREAM_END) inflateReset(&stream_);
    if (code == Z_STREAM_END) return State::kAtEnd;
    return code == Z_OK || code == Z_BUF_ERROR ? State::kGoing : State::kDamaged;
  }

 private:
  z_stream stream_{};
};

class Zstd : public PackedFormat {
 public:
  Zstd() : stream_(ZSTD_createDStream(), &ZSTD_freeDStream) { VKGPT_CHECK(stream_ != nullptr); }

  State step(std::span<const char>& in, std::span<char>& out) override {
    ZSTD_inBuffer from{.src = in.data(), .size = in.size(), .pos = 0};
    ZSTD_outBuffer to{.dst = out.data(), .size = out.size(), .pos = 0};
    const std::size_t code = ZSTD_decompressStream(stream_.get(), &to, &from);
    in = in.subspan(from.pos);
    out = out.subspan(to.pos);
    if (ZSTD_getErrorCode(code) == ZSTD_error_frameParameter_windowTooLarge) return State::kTooWide;
    if (ZSTD_isError(code) != 0) return State::kDamaged;
    return code == 0 ? State::kAtEnd : State::kGoing;
  }

 private:
  std::unique_ptr<ZSTD_DStream, decltype(&ZSTD_freeDStream)> stream_;
};

}  // namespace

class Unpacker::Stream {
 public:
  explicit Stream(const Path& path) : file_(path), block_(kBlockBytes) {
    refill();
    const std::string_view begin(packed_.data(), packed_.size());
    if (begin.starts_with(kGzip)) {
      format_ = std::make_unique<Gzip>();
    } else if (is_zstd(begin)) {
      format_ = std::make_unique<Zstd>();
    } else {
      fail("{} is neither gzip's nor Zstandard's", printable(path.string(), 200));
    }
  }

  const Path& path() const { return file_.path(); }

  std::size_t read(std::span<char> out) {
    const std::size_t wanted = out.size();
    while (!out.empty()) {
      if (packed_.empty()) refill();
      if (between_) skip_padding();
      if (packed_.empty() && between_) break;
      const std::size_t before = packed_.size() + out.size();
      const PackedFormat::State state = format_->step(packed_, out);
      if (state == PackedFormat::State::kTooWide) {
        fail("{}: it was packed by zstd --long: unpack it first (zstd -d --long=31)",
             printable(path().string(), 200));
      }
      const bool is_stuck = packed_.size() + out.size() == before && state == PackedFormat::State::kGoing;
      if (state == PackedFormat::State::kDamaged || is_stuck) {
        fail("{}: its compressed data are damaged or cut off", printable(path().string(), 200));
      }
      between_ = state == PackedFormat::State::kAtEnd;
    }
    return wanted - out.size();
  }

 private:
  /// Zeros behind a packed file are no other one: tapes and tar leave them.
  void skip_padding() {
    while (!packed_.empty() && packed_.front() == 0) {
      packed_ = packed_.subspan(1);
      if (packed_.empty()) refill();
    }
  }

  void refill() {
    const std::size_t count = std::min<std::uint64_t>(block_.size(), file_.size() - at_);
    file_.read_at(at_, std::as_writable_bytes(std::span(block_).first(count)));
    packed_ = std::span(block_).first(count);
    at_ += count;
  }

  InputFile file_;
  std::uint64_t at_ = 0;  // bytes of the file that were read
  std::vector<char> block_;
  std::span<const char> packed_;  // what is left of the block
  bool between_ = false;          // a packed file has ended, and none begun
  std::unique_ptr<PackedFormat> format_;
};

bool is_packed(std::string_view begin) {
  return begin.starts_with(kGzip) || is_zstd(begin);
}

Unpacker::Unpacker(const Path& path) : stream_(std::make_unique<Stream>(path)) {}
Unpacker::Unpacker(Unpacker&&) noexcept = default;
Unpacker& Unpacker::operator=(Unpacker&&) noexcept = default;
Unpacker::~Unpacker() = default;

const Path& Unpacker::path() const {
  return stream_->path();
}

std::size_t Unpacker::read(std::span<char> out) {
  return stream_->read(out);
}

std::uint64_t Unpacker::skip_rest() {
  std::vector<char> block(kBlockBytes);
  std::uint64_t bytes = 0;
  while (const std::size_t count = read(block)) {
    bytes += count;
    if (interrupted()) throw Error("interrupted", ExitCode::kInterrupted);
  }
  return bytes;
}

std::string unpack_file(const Path& path, std::uint64_t max_bytes) {
  Unpacker unpacker(path);
  std::string text;
  std::string block(std::size_t{1} << 20, '\0');
  while (const std::size_t count = unpacker.read(block)) {
    text.append(block, 0, count);
    if (text.size() > max_bytes) {
      fail("{} unpacks to more than {} MiB", printable(path.string(), 200), max_bytes >> 20U);
    }
  }
  return text;
}

}  // namespace vkgpt::text
