#include "support/small_zip.hpp"

#include <cstdint>

#include <zlib.h>

#include "vkgpt/core/check.hpp"

namespace vkgpt::test {
namespace {

void put(std::string& out, std::uint64_t value, int bytes) {
  for (int i = 0; i < bytes; ++i) out += static_cast<char>(value >> (8 * i) & 0xff);
}

std::string deflated(std::string text) {
  z_stream stream{};
  VKGPT_CHECK(deflateInit2(&stream, 9, Z_DEFLATED, -MAX_WBITS, 8, Z_DEFAULT_STRATEGY) == Z_OK);
  std::string out(deflateBound(&stream, text.size()), '\0');
  stream.next_in = reinterpret_cast<Bytef*>(text.data());
  stream.avail_in = static_cast<uInt>(text.size());
  stream.next_out = reinterpret_cast<Bytef*>(out.data());
  stream.avail_out = static_cast<uInt>(out.size());
  VKGPT_CHECK(deflate(&stream, Z_FINISH) == Z_STREAM_END);
  out.resize(stream.total_out);
  deflateEnd(&stream);
  return out;
}

}  // namespace

std::string make_zip(const std::vector<ZipPart>& parts, const std::string& comment) {
  std::string out, directory;
  for (const ZipPart& part : parts) {
    const std::string packed = part.deflated ? deflated(part.contents) : part.contents;
    std::string common;  // what both headers say
    put(common, part.deflated ? 8 : 0, 2);
    put(common, 0, 4);  // time and date
    put(common,
        crc32(0, reinterpret_cast<const Bytef*>(part.contents.data()),
              static_cast<uInt>(part.contents.size())),
        4);
    put(common, packed.size(), 4);
    put(common, part.contents.size(), 4);
    put(common, part.name.size(), 2);
    put(common, 0, 2);  // extra
    put(directory, 0x02014b50, 4);
    put(directory, 20, 2);
    put(directory, 20, 2);
    put(directory, 0, 2);
    directory += common;
    put(directory, 0, 6);  // comment, disk, kind
    put(directory, 0, 4);  // attributes
    put(directory, out.size(), 4);
    directory += part.name;
    put(out, 0x04034b50, 4);
    put(out, 20, 2);
    put(out, 0, 2);
    out += common + part.name + packed;
  }
  const std::size_t begin = out.size();
  out += directory;
  put(out, 0x06054b50, 4);
  put(out, 0, 4);
  put(out, parts.size(), 2);
  put(out, parts.size(), 2);
  put(out, directory.size(), 4);
  put(out, begin, 4);
  put(out, comment.size(), 2);
  return out + comment;
}

}  // namespace vkgpt::test
