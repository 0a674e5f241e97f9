#include "vkgpt/text/corpus.hpp"

#include <algorithm>
#include <cstddef>
#include <filesystem>
#include <system_error>

#include "vkgpt/core/error.hpp"
#include "vkgpt/core/utf8.hpp"

namespace vkgpt::text {
namespace {

void check_length(const std::vector<Token>& tokens, std::string_view part, std::int64_t block_size,
                  const std::string& where) {
  const auto n = static_cast<std::int64_t>(tokens.size());
  if (n > block_size) return;
  fail(
      "{}: the {} part has {} tokens, block_size {} needs at least {}: use a longer text or a smaller "
      "--block_size",
      where, part, n, block_size, block_size + 1);
}

}  // namespace

std::string read_text(const Path& path) {
  if (path.empty()) {
    fail_usage("no text is given: use --data_path FILE ('vkgpt data get tinyshakespeare' fetches one)");
  }
  std::error_code error;
  const auto status = std::filesystem::status(path, error);
  if (status.type() == std::filesystem::file_type::not_found) {
    fail("text {} does not exist", printable(path.string(), 200));
  }
  if (std::filesystem::is_directory(status)) {
    fail("text {} is a directory, expected a file", printable(path.string(), 200));
  }
  constexpr std::uint64_t kMaxBytes = std::uint64_t{4} << 30;
  std::string text = read_file(path, kMaxBytes);
  if (text.empty()) fail("text {} is empty", printable(path.string(), 200));
  const std::size_t invalid = find_invalid_utf8(text);
  if (invalid != std::string::npos) {
    fail(
        "text {} is not UTF-8: invalid byte 0x{:02x} at byte {} (convert it first, e.g. with iconv -t UTF-8)",
        printable(path.string(), 200), static_cast<unsigned>(static_cast<unsigned char>(text[invalid])),
        invalid);
  }
  return text;
}

TextSplit split_text(std::string_view text, double val_fraction) {
  auto cut = static_cast<std::size_t>(static_cast<double>(text.size()) * (1.0 - val_fraction));
  cut = std::min(cut, text.size());
  while (cut > 0 && cut < text.size() && (static_cast<unsigned char>(text[cut]) & 0xc0U) == 0x80) --cut;
  return {.train = text.substr(0, cut), .validation = text.substr(cut)};
}

Corpus Corpus::encode(std::string_view text, const Tokenizer& tokenizer, double val_fraction,
                      std::int64_t block_size, const std::string& where) {
  const TextSplit split = split_text(text, val_fraction);
  Corpus corpus{.train = tokenizer.encode(split.train), .validation = tokenizer.encode(split.validation)};
  check_length(corpus.train, "training", block_size, where);
  if (val_fraction > 0) check_length(corpus.validation, "validation", block_size, where);
  return corpus;
}

}  // namespace vkgpt::text
