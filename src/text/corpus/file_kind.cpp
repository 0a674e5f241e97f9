#include "text/corpus/file_kind.hpp"

#include <algorithm>
#include <array>
#include <limits>

#include <zlib.h>

#include "vkgpt/core/check.hpp"
#include "vkgpt/core/error.hpp"

namespace vkgpt::text {
namespace {

using namespace std::string_view_literals;

struct Kind {
  std::string_view begin;
  std::string_view name;
};

constexpr auto kKinds = std::to_array<Kind>({
    {"PAR1"sv, "a Parquet file: export its text column as .jsonl or .txt first"sv},
    {"\x28\xb5\x2f\xfd"sv, "compressed by zstd: unpack it first (zstd -d)"sv},
    {"\xfd"
     "7zXZ"sv,
     "compressed by xz: unpack it first (xz -d)"sv},
    {"BZh"sv, "compressed by bzip2: unpack it first (bzip2 -d)"sv},
    {"PK\x03\x04"sv, "a ZIP archive (or an office document): unpack it first"sv},
    {"\xff\xfe"sv, "UTF-16: convert it first (iconv -f UTF-16 -t UTF-8)"sv},
    {"\xfe\xff"sv, "UTF-16: convert it first (iconv -f UTF-16 -t UTF-8)"sv},
    {"%PDF-"sv, "a PDF: extract its text first (pdftotext)"sv},
    {"GGUF"sv, "a GGUF model, not a text"sv},
    {"\x7f"
     "ELF"sv,
     "a program, not a text"sv},
    {"ARROW1"sv, "an Arrow file: export its text column as .jsonl or .txt first"sv},
});

}  // namespace

std::string_view foreign_kind(std::string_view begin) {
  const auto found =
      std::ranges::find_if(kKinds, [&](const Kind& kind) { return begin.starts_with(kind.begin); });
  return found == kKinds.end() ? std::string_view() : found->name;
}

bool is_gzip(std::string_view begin) {
  return begin.starts_with("\x1f\x8b"sv);
}

std::string gunzip(std::string_view packed, std::uint64_t max_bytes, const std::string& where) {
  constexpr int kGzipOnly = 16 + MAX_WBITS;
  constexpr std::size_t kBlock = std::size_t{1} << 20;
  z_stream stream{};
  VKGPT_CHECK(inflateInit2(&stream, kGzipOnly) == Z_OK);
  std::string text;
  std::string block(kBlock, '\0');
  int code = Z_OK;
  while (code == Z_OK && text.size() <= max_bytes) {
    if (stream.avail_in == 0) {
      const std::size_t part = std::min<std::size_t>(packed.size(), std::numeric_limits<uInt>::max());
      stream.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(packed.data()));
      stream.avail_in = static_cast<uInt>(part);
      packed.remove_prefix(part);
    }
    stream.next_out = reinterpret_cast<Bytef*>(block.data());
    stream.avail_out = kBlock;
    code = inflate(&stream, Z_NO_FLUSH);
    text.append(block, 0, kBlock - stream.avail_out);
    const bool has_more = stream.avail_in > 0 || !packed.empty();
    if (code == Z_STREAM_END && has_more) code = inflateReset(&stream);
  }
  inflateEnd(&stream);
  if (text.size() > max_bytes) fail("{}: unpacks to more than {} MiB", where, max_bytes >> 20U);
  if (code != Z_STREAM_END) fail("{}: its gzip data are damaged or cut off", where);
  return text;
}

}  // namespace vkgpt::text
