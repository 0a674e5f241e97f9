#include "vkgpt/text/corpus/text_source.hpp"

#include <algorithm>
#include <array>
#include <cerrno>
#include <filesystem>
#include <system_error>
#include <utility>

#include <glob.h>
#include <poll.h>
#include <unistd.h>

#include "vkgpt/core/check.hpp"
#include "vkgpt/core/error.hpp"
#include "vkgpt/core/format.hpp"
#include "vkgpt/core/interrupt.hpp"
#include "vkgpt/core/log.hpp"
#include "vkgpt/core/utf8.hpp"

#include "text/corpus/file_kind.hpp"
#include "text/corpus/json_line.hpp"
#include "text/corpus/unpacker.hpp"

namespace vkgpt::text {
namespace {

namespace fs = std::filesystem;

constexpr std::size_t kMaxLineBytes = std::size_t{64} << 20;
constexpr std::size_t kReadBytes = std::size_t{256} << 10;
constexpr const char* kStandardInput = "-";
constexpr std::string_view kByteOrderMark = "\xef\xbb\xbf";

void add_directory(const Path& directory, std::vector<Path>& files) {
  for (const Path& entry : list_directory(directory)) {
    if (entry.filename().string().starts_with('.')) continue;
    std::error_code error;
    if (fs::is_directory(fs::symlink_status(entry, error))) {
      add_directory(entry, files);
    } else if (is_text_name(entry) && fs::is_regular_file(entry, error)) {
      files.push_back(entry);
    }
  }
}

/// The files that one word of the user's names.
std::vector<Path> files_of(const std::string& word) {
  if (word.empty()) fail_usage("an input is empty: give files, directories or globs");
  if (word == kStandardInput) return {word};
  std::error_code error;
  std::vector<Path> files;
  for (const Path& path : files_matching(word)) {
    if (fs::is_directory(path, error)) {
      add_directory(path, files);
    } else {
      files.push_back(path);
    }
  }
  if (files.empty()) {
    fail(
        "{} holds no text: a directory is searched for .txt, .text, .md, .rst, .jsonl and .ndjson files, "
        "packed "
        "(.gz, .zst) or not",
        printable(word, 200));
  }
  return files;
}

void refuse_foreign(std::string_view begin, const Path& path) {
  const std::string_view kind = what_is_no_text(begin);
  if (kind.empty()) return;
  fail("{} is {}", path == kStandardInput ? "standard input" : printable(path.string(), 200), kind);
}

/// Looks at the beginning of a file, and for its length when it is unpacked.
void inspect(TextInput& input) {
  const InputFile file(input.path);
  std::string begin(std::min<std::uint64_t>(file.size(), kKindBytes), '\0');
  file.read_at(0, std::as_writable_bytes(std::span(begin)));
  input.bytes = file.size();
  input.packed = is_packed(begin);
  if (input.packed) {
    constexpr std::uint64_t kLong = std::uint64_t{256} << 20;
    if (file.size() >= kLong)
      log_info("unpacking {} once for its length", printable(input.path.string(), 200));
    Unpacker unpacker(input.path);
    begin.resize(kKindBytes);
    begin.resize(unpacker.read(begin));
    input.bytes = begin.size() + unpacker.skip_rest();
  }
  refuse_foreign(begin, input.path);
}

}  // namespace

std::vector<Path> files_matching(const std::string& pattern) {
  std::error_code error;
  if (pattern.find_first_of("*?[") == std::string::npos || fs::exists(pattern, error)) return {pattern};
  glob_t found{};
  const int code = ::glob(pattern.c_str(), GLOB_NOSORT, nullptr, &found);
  std::vector<Path> paths(found.gl_pathv, found.gl_pathv + (code == 0 ? found.gl_pathc : 0));
  ::globfree(&found);
  if (paths.empty()) fail("nothing matches {}: check the pattern", printable(pattern, 200));
  std::ranges::sort(paths);
  return paths;
}

TextSource::TextSource(TextSourceConfig config) : config_(std::move(config)) {
  VKGPT_CHECK(config_.piece_bytes >= 16, "pieces of {} bytes", config_.piece_bytes);
  if (config_.inputs.empty()) fail_usage("no input is given: name files, directories or globs");
  for (const std::string& word : config_.inputs) {
    for (Path& path : files_of(word)) {
      const bool json_lines = config_.format == "jsonl" || (config_.format == "auto" && is_json_lines(path));
      inputs_.push_back({.path = std::move(path), .bytes = {}, .json_lines = json_lines});
      if (inputs_.back().path != kStandardInput) inspect(inputs_.back());
    }
  }
  const auto piped = std::ranges::count(inputs_, Path(kStandardInput), &TextInput::path);
  if (piped > 1) fail_usage("'-' is given {} times: standard input can be read once", piped);
  open(0, 0);
}

TextSource::~TextSource() = default;

std::optional<std::uint64_t> TextSource::total_bytes() const {
  std::uint64_t sum = 0;
  for (const TextInput& input : inputs_) {
    if (!input.bytes) return std::nullopt;
    sum += *input.bytes;
  }
  return sum;
}

void TextSource::open(std::size_t input, std::uint64_t offset) {
  input_ = input;
  file_.reset();
  unpacker_.reset();
  buffer_.clear();
  begin_ = 0;
  offset_ = offset;
  line_ = 0;
  uncounted_ = 0;
  at_end_ = input == inputs_.size();
  if (at_end_ || !inputs_[input].bytes) return;
  if (inputs_[input].packed) {
    unpacker_ = std::make_unique<Unpacker>(inputs_[input].path);
    offset_ = 0;
    while (offset_ < offset) skip(offset);
    return;
  }
  file_.emplace(inputs_[input].path);
  uncounted_ = offset;
  // The size of the beginning counts: what is appended meanwhile belongs to the next reading.
  const std::uint64_t size = *inputs_[input].bytes;
  if (file_->size() < size || offset > size) {
    fail("{} has become shorter ({} bytes, {} expected): start again", printable(file_->path().string(), 200),
         file_->size(), std::max(size, offset));
  }
}

/// Reads towards `offset`, counting lines.
void TextSource::skip(std::uint64_t offset) {
  fill(1);
  if (waiting().empty()) {
    fail("{} ends at byte {}, before byte {} where to go on", name(), offset_, offset);
  }
  const std::string_view part =
      waiting().substr(0, std::min<std::uint64_t>(waiting().size(), offset - offset_));
  line_ += static_cast<std::uint64_t>(std::ranges::count(part, '\n'));
  take(part.size());
}

void TextSource::seek(std::size_t input, std::uint64_t offset) {
  VKGPT_CHECK(input <= inputs_.size(), "input {} of {}", input, inputs_.size());
  const bool piped = input < inputs_.size() && !inputs_[input].bytes;
  open(input, piped ? 0 : offset);
  while (piped && offset_ < offset) skip(offset);
}

std::uint64_t TextSource::character_begin(std::size_t input, std::uint64_t offset) const {
  constexpr std::uint64_t kLongest = 4;  // bytes of a character
  std::array<char, kLongest> bytes{};
  const std::uint64_t first = offset < kLongest ? 0 : offset - (kLongest - 1);
  const auto part = std::span(bytes).first(std::min(offset + 1, *inputs_[input].bytes) - first);
  if (inputs_[input].packed) {
    TextSource reader({.inputs = {inputs_[input].path.string()}});
    reader.seek(0, first);
    reader.fill(part.size());
    std::ranges::copy(reader.waiting().substr(0, part.size()), part.begin());
  } else {
    InputFile(inputs_[input].path).read_at(first, std::as_writable_bytes(part));
  }
  while (offset > first && (static_cast<unsigned char>(part[offset - first]) & 0xc0U) == 0x80) --offset;
  return offset;
}

std::size_t TextSource::read_some(std::span<char> out) {
  if (unpacker_) return unpacker_->read(out);
  if (file_) {
    const std::uint64_t at = offset_ + waiting().size();
    const std::uint64_t left = *inputs_[input_].bytes - at;
    out = out.first(std::min<std::uint64_t>(out.size(), left));
    file_->read_at(at, std::as_writable_bytes(out));
    return out.size();
  }
  while (true) {
    // Signals do not end a read, so it is begun only when there is something.
    pollfd wait{.fd = STDIN_FILENO, .events = POLLIN, .revents = 0};
    const int ready = ::poll(&wait, 1, 200);
    if (interrupted()) throw Error("interrupted while reading standard input", ExitCode::kInterrupted);
    if (ready == 0 || (ready < 0 && errno == EINTR)) continue;
    const ssize_t n = ::read(STDIN_FILENO, out.data(), out.size());
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) throw IoError("read", "standard input", errno);
    return static_cast<std::size_t>(n);
  }
}

void TextSource::fill(std::size_t wanted) {
  while (!at_end_ && waiting().size() < wanted) {
    if (begin_ > 0) {
      buffer_.erase(0, begin_);
      begin_ = 0;
    }
    std::string block(std::max(wanted - buffer_.size(), kReadBytes), '\0');
    const std::size_t n = read_some(block);
    buffer_.append(block, 0, n);
    at_end_ = n == 0;
  }
}

void TextSource::take(std::size_t count) {
  begin_ += count;
  offset_ += count;
}

TextPiece TextSource::piece(std::string text, bool ends_document) const {
  return {.text = std::move(text), .ends_document = ends_document, .input = input_, .offset = offset_};
}

std::optional<TextPiece> TextSource::next() {
  while (input_ < inputs_.size()) {
    if (offset_ == 0 && !inputs_[input_].bytes) {
      fill(kKindBytes);
      refuse_foreign(waiting(), inputs_[input_].path);
    }
    if (auto found = inputs_[input_].json_lines ? next_line() : next_text()) return found;
    open(input_ + 1, 0);
  }
  return std::nullopt;
}

std::optional<TextPiece> TextSource::next_text() {
  const std::string& separator = config_.document_separator;
  if (offset_ == 0) {
    fill(kByteOrderMark.size());
    if (waiting().starts_with(kByteOrderMark)) take(kByteOrderMark.size());
  }
  for (;;) {
    fill(config_.piece_bytes + separator.size() + 1);
    if (waiting().empty()) return std::nullopt;
    const std::uint64_t cut = inputs_[input_].cut;
    const std::string_view text =
        waiting().substr(0, cut > offset_ ? std::min<std::uint64_t>(cut - offset_, SIZE_MAX) : SIZE_MAX);
    const std::size_t end = separator.empty() ? std::string_view::npos : text.find(separator);
    const bool separated = end < config_.piece_bytes;
    const bool last = separated || text.size() <= config_.piece_bytes;
    const std::size_t count = separated ? end
                              : last    ? text.size()
                                        : complete_utf8_prefix(text.substr(0, config_.piece_bytes));
    std::string taken(text.substr(0, count));
    take(count + (separated ? separator.size() : 0));
    if (!taken.empty() || !separated) return piece(std::move(taken), last);
  }
}

std::optional<TextPiece> TextSource::next_line() {
  for (;;) {
    std::size_t searched = 0;
    std::size_t end = std::string::npos;
    do {
      fill(searched + 1);
      end = waiting().find('\n', searched);
      searched = waiting().size();
    } while (end == std::string::npos && !at_end_ && searched <= kMaxLineBytes);
    if (end == std::string::npos && !at_end_) {
      pass_long_line();
      continue;
    }
    const std::string_view line = waiting().substr(0, end);
    if (line.empty() && end == std::string::npos) return std::nullopt;
    std::string text = line_text(line);
    take(line.size() + (end == std::string::npos ? 0 : 1));
    ++line_;
    if (!text.empty()) return piece(std::move(text), true);
  }
}

void TextSource::pass_long_line() {
  const std::string what = vkgpt::format("{}: the line is longer than {} MiB", place(), kMaxLineBytes >> 20);
  if (!config_.skip_bad_lines) fail("{}; --skip_bad_lines passes over such lines", what);
  if (skipped_++ == 0) log_warning("passing over a line: {}", what);
  std::size_t end = std::string::npos;
  while (end == std::string::npos && !waiting().empty()) {
    end = waiting().find('\n');
    take(end == std::string::npos ? waiting().size() : end + 1);
    if (interrupted()) throw Error("interrupted in a long line", ExitCode::kInterrupted);
    if (end == std::string::npos) fill(1);
  }
  ++line_;
}

std::string TextSource::line_text(std::string_view line) {
  if (offset_ == 0) refuse_json_document(line, [this] { return place(); });
  try {
    return json_line_text(line, offset_ == 0, config_.text_field, [this] { return place(); });
  } catch (const Error& error) {
    // Of another kind of file there is nothing to pass over.
    if (!config_.skip_bad_lines && error.exit_code() == ExitCode::kUsage) throw;
    if (!config_.skip_bad_lines)
      fail("{}; 'vkgpt data prepare --skip_bad_lines' passes over such lines", error.what());
    if (skipped_++ == 0) log_warning("passing over a line: {}", error.what());
    return {};
  }
}

std::string TextSource::place() {
  std::string block(std::min<std::uint64_t>(kReadBytes, uncounted_), '\0');
  for (std::uint64_t at = 0; at < uncounted_; at += block.size()) {
    const auto part = std::span(block).first(std::min<std::uint64_t>(block.size(), uncounted_ - at));
    file_->read_at(at, std::as_writable_bytes(part));
    line_ += static_cast<std::uint64_t>(std::ranges::count(part, '\n'));
  }
  uncounted_ = 0;
  return vkgpt::format("{}:{}", name(), line_ + 1);
}

std::string TextSource::name() const {
  const Path& path = inputs_[input_].path;
  return path == kStandardInput ? "standard input" : printable(path.string(), 200);
}

}  // namespace vkgpt::text
