#include "text/corpus/file_kind.hpp"

#include <algorithm>
#include <array>
#include <string>

#include "vkgpt/core/lfs_pointer.hpp"

namespace vkgpt::text {
namespace {

using namespace std::string_view_literals;

struct Kind {
  std::string_view begin;
  std::string_view name;
};

constexpr auto kKinds = std::to_array<Kind>({
    {kLfsPointer, "a Git LFS pointer, not the file itself: run 'git lfs pull' in its repository"sv},
    {"PAR1"sv, "a Parquet file: export its text column as .jsonl or .txt first"sv},
    {"\x1f\x8b"sv, "compressed by gzip: unpack it first (gzip -d)"sv},
    {"\x28\xb5\x2f\xfd"sv, "compressed by zstd: unpack it first (zstd -d)"sv},
    {"\xfd"
     "7zXZ"sv,
     "compressed by xz: unpack it first (xz -d)"sv},
    {"BZh"sv, "compressed by bzip2: unpack it first (bzip2 -d)"sv},
    {"PK\x03\x04"sv, "a ZIP archive (or an office document): unpack it first"sv},
    {"\xff\xfe\0\0"sv, "UTF-32: convert it first (iconv -f UTF-32 -t UTF-8)"sv},
    {"\0\0\xfe\xff"sv, "UTF-32: convert it first (iconv -f UTF-32 -t UTF-8)"sv},
    {"\xff\xfe"sv, "UTF-16: convert it first (iconv -f UTF-16 -t UTF-8)"sv},
    {"\xfe\xff"sv, "UTF-16: convert it first (iconv -f UTF-16 -t UTF-8)"sv},
    {"%PDF-"sv, "a PDF: extract its text first (pdftotext)"sv},
    {"GGUF"sv, "a GGUF model, not a text"sv},
    {"\x93NUMPY"sv, "a NumPy array: give token files with --memmap_dataset, written by tofile()"sv},
    {"SQLite format 3"sv, "an SQLite database, not a text"sv},
    {"\x89PNG"sv, "a picture, not a text"sv},
    {"\xff\xd8\xff"sv, "a picture, not a text"sv},
    {"\x7f"
     "ELF"sv,
     "a program, not a text"sv},
    {"ARROW1"sv, "an Arrow file: export its text column as .jsonl or .txt first"sv},
});

/// Text in UTF-16 without a mark has a zero in every other byte.
bool is_unmarked_utf16(std::string_view begin) {
  std::array<std::size_t, 2> zeros{};
  for (std::size_t i = 0; i < begin.size(); ++i) zeros[i % 2] += begin[i] == '\0' ? 1 : 0;
  const std::size_t half = begin.size() / 2;
  return half >= 2 && std::ranges::min(zeros) == 0 && 2 * std::ranges::max(zeros) >= half;
}

/// The extension, in small letters, that a file's name has without what a packer appends.
std::string unpacked_extension(const Path& path) {
  const auto small = [](const Path& name) {
    std::string extension = name.extension().string();
    for (char& c : extension) {
      if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
    }
    return extension;
  };
  const std::string extension = small(path);
  return extension == ".gz" || extension == ".zst" ? small(path.stem()) : extension;
}

constexpr std::array kJsonLines = {".jsonl"sv, ".ndjson"sv};

}  // namespace

std::string_view foreign_kind(std::string_view begin) {
  const auto found =
      std::ranges::find_if(kKinds, [&](const Kind& kind) { return begin.starts_with(kind.begin); });
  if (found != kKinds.end()) return found->name;
  if (is_unmarked_utf16(begin.substr(0, kKindBytes))) {
    return "UTF-16: convert it first (iconv -f UTF-16 -t UTF-8)";
  }
  return {};
}

std::string_view signature_kind(std::string_view begin) {
  constexpr std::size_t kCertain = 4;
  const auto found = std::ranges::find_if(kKinds, [&](const Kind& kind) {
    return kind.begin.size() >= kCertain && begin.starts_with(kind.begin);
  });
  return found == kKinds.end() ? std::string_view() : found->name;
}

std::string_view what_is_no_text(std::string_view begin) {
  const std::string_view kind = foreign_kind(begin);
  if (!kind.empty() || !begin.substr(0, kKindBytes).contains('\0')) return kind;
  return "binary data, not a text: it holds zero bytes";
}

bool is_json_lines(const Path& path) {
  const std::string extension = unpacked_extension(path);
  return extension == ".json" || std::ranges::contains(kJsonLines, extension);
}

bool is_text_name(const Path& path) {
  constexpr std::array kTexts = {".txt"sv, ".text"sv, ".md"sv, ".rst"sv};
  const std::string extension = unpacked_extension(path);
  return std::ranges::contains(kJsonLines, extension) || std::ranges::contains(kTexts, extension);
}

}  // namespace vkgpt::text
