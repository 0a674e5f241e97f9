#include "text/corpus/mark_file.hpp"

#include <algorithm>
#include <cstddef>
#include <string_view>

#include "vkgpt/core/error.hpp"
#include "vkgpt/core/hash.hpp"
#include "vkgpt/core/utf8.hpp"

namespace vkgpt::text {
namespace {

constexpr std::uint32_t kMarkMagic = 20261127;
constexpr std::uint32_t kMarkVersion = 1;
constexpr std::size_t kHeader = 12;
constexpr char kCounted = 1;
constexpr char kBegins = 2;

void put_word(std::string& out, std::uint32_t word) {
  for (int i = 0; i < 4; ++i) out += static_cast<char>(word >> (8 * i) & 0xff);
}

std::uint32_t word_at(std::string_view bytes, std::size_t at) {
  std::uint32_t word = 0;
  for (std::size_t i = 0; i < 4; ++i) {
    word |= std::uint32_t{static_cast<unsigned char>(bytes[at + i])} << (8 * i);
  }
  return word;
}

}  // namespace

std::string mark_file_name(const std::string& shard) {
  return Path(shard).stem().string() + ".marks";
}

std::string write_marks(const Path& path, const Documents& documents, std::uint64_t first,
                        std::uint64_t count) {
  std::string bytes;
  bytes.reserve(kHeader + count);
  for (const std::uint32_t word : {kMarkMagic, kMarkVersion, static_cast<std::uint32_t>(count)})
    put_word(bytes, word);
  for (std::uint64_t i = 0; i < count; ++i) {
    bytes += documents.counted.empty() || documents.counted[first + i] ? kCounted : '\0';
  }
  const auto begin = std::ranges::lower_bound(documents.spans, first, {}, &DocumentSpan::begin);
  for (auto span = begin; span != documents.spans.end() && span->begin < first + count; ++span) {
    bytes[kHeader + span->begin - first] |= kBegins;
  }
  replace_file(path, bytes);
  return sha256(bytes);
}

void append_marks(const Path& path, std::uint64_t tokens, Documents& documents) {
  const std::string bytes = read_file(path, kHeader + tokens + 1);
  const std::string where = printable(path.string(), 200);
  if (bytes.size() < kHeader || word_at(bytes, 0) != kMarkMagic || word_at(bytes, 4) != kMarkVersion) {
    fail("{} is no file of marks of this version", where);
  }
  if (bytes.size() != kHeader + tokens || word_at(bytes, 8) != tokens) {
    fail("{} has the marks of {} tokens, its shard has {}: prepare the data again", where,
         bytes.size() - kHeader, tokens);
  }
  const std::uint64_t base = documents.counted.size();
  for (std::uint64_t i = 0; i < tokens; ++i) {
    const char mark = bytes[kHeader + i];
    if ((mark & ~(kCounted | kBegins)) != 0) fail("{}: the mark of token {} is {}", where, i, int{mark});
    if ((mark & kBegins) != 0) documents.spans.push_back({.begin = base + i, .tokens = 0});
    if (documents.spans.empty()) fail("{}: its first token begins no document", where);
    ++documents.spans.back().tokens;
    documents.counted.push_back((mark & kCounted) != 0);
  }
}

}  // namespace vkgpt::text
