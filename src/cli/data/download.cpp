#include "cli/data/download.hpp"

#include <algorithm>
#include <cctype>
#include <cerrno>
#include <charconv>
#include <filesystem>
#include <format>
#include <optional>
#include <sstream>
#include <system_error>
#include <vector>

#include <fcntl.h>
#include <unistd.h>

#include "vkgpt/core/directory_lock.hpp"
#include "vkgpt/core/error.hpp"
#include "vkgpt/core/interrupt.hpp"

#include "cli/command/process.hpp"

namespace vkgpt::cli {
namespace {

/// What curl's and wget's exit codes mean, as far as it helps.
std::string_view meaning_of(std::string_view program, int code) {
  if (program == "curl") {
    switch (code) {
      case 5:
      case 6:
        return "the host name cannot be resolved; is this machine online?";
      case 7:
        return "no connection; is this machine online?";
      case 18:
        return "the connection broke; run it again to continue";
      case 22:
        return "the server answered with an error";
      case 23:
        return "the file cannot be written; is the disk full?";
      case 28:
        return "no answer in time; is this machine online?";
      case 35:
      case 60:
        return "no secure connection; are the certificates and the clock right?";
      default:
        return "see curl's manual for the code";
    }
  }
  switch (code) {
    case 3:
      return "the file cannot be written; is the disk full?";
    case 4:
      return "no connection; is this machine online?";
    case 5:
      return "no secure connection; are the certificates and the clock right?";
    case 8:
      return "the server answered with an error";
    default:
      return "see wget's manual for the code";
  }
}

std::uint64_t size_of(const Path& path) {
  std::error_code error;
  const std::uint64_t size = std::filesystem::file_size(path, error);
  return error ? 0 : size;
}

/// Runs the first of the programs that is there; `words` are theirs.
void run_first(const std::string& url, const std::vector<std::vector<std::string>>& programs,
               const std::function<void()>& on_wait = {}) {
  for (const std::vector<std::string>& words : programs) {
    const std::optional<int> code = run_process(words, on_wait);
    if (!code) continue;
    if (interrupted()) throw Error("interrupted; run it again to continue", ExitCode::kInterrupted);
    if (*code != 0) {
      fail("cannot download {}: {} ended with {}: {}", url, words[0], *code, meaning_of(words[0], *code));
    }
    return;
  }
  fail("cannot download {}: neither curl nor wget is installed", url);
}

void fetch(const std::string& url, const Path& part, const OnBytes& on_bytes) {
  const auto on_wait = [&] {
    if (on_bytes) on_bytes(size_of(part));
  };
  run_first(url,
            {{"curl", "-q", "-f", "-s", "-L", "--connect-timeout", "15", "--speed-limit", "1", "--speed-time",
              "60", "--retry", "2", "-C", "-", "-o", part.string(), "--", url},
             {"wget", "-q", "-c", "-T", "15", "-t", "3", "-O", part.string(), "--", url}},
            on_wait);
}

/// The value of the first header of this name (in lower case) in an answer, without quotes.
std::string header_value(const std::string& answer, std::string_view name) {
  std::istringstream lines(answer);
  for (std::string line; std::getline(lines, line);) {
    std::string key = line.substr(0, line.find(':'));
    std::ranges::transform(key, key.begin(), [](unsigned char c) { return std::tolower(c); });
    key.erase(0, key.find_first_not_of(' '));
    if (key != name) continue;
    std::string value = line.substr(std::min(line.size(), line.find(':') + 1));
    std::erase_if(value, [](char c) { return c == ' ' || c == '"' || c == '\r'; });
    return value;
  }
  return {};
}

void make_durable(const Path& path) {
  const int fd = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (fd < 0) throw IoError("open", path, errno);
  const int code = ::fsync(fd) == 0 ? 0 : errno;
  ::close(fd);
  if (code != 0) throw IoError("fsync", path, code);
}

Path checksum_path(const Path& path) {
  return Path(path) += ".sha256";
}

}  // namespace

void note_checksum(const Path& path, const std::string& sha256) {
  replace_file(checksum_path(path), std::format("{}  {}\n", sha256, path.filename().string()));
}

bool is_fetched(const Path& path) {
  std::error_code error;
  if (!std::filesystem::exists(path, error) || !std::filesystem::exists(checksum_path(path), error))
    return false;
  constexpr std::uint64_t kMaxBytes = 4096;
  if (!read_file(checksum_path(path), kMaxBytes).starts_with(sha256_file(path) + " ")) {
    fail("{} is not what was fetched: move it away, and {} too", path.string(), checksum_path(path).string());
  }
  return true;
}

RemoteFile ask_hub(const std::string& url, const Path& scratch) {
  make_directories(scratch.parent_path());
  // The headers are those of the hub itself, before it sends one elsewhere.
  run_first(url,
            {{"curl", "-q", "-f", "-s", "-I", "--connect-timeout", "15", "--max-time", "60", "-o",
              scratch.string(), "--", url},
             // wget has no success without following: its log is what counts.
             {"wget", "-q", "-S", "--spider", "-T", "15", "-t", "2", "-o", scratch.string(), "--", url}});
  constexpr std::uint64_t kMaxBytes = 1 << 20;
  const std::string answer = read_file(scratch, kMaxBytes);
  remove_tree(scratch);
  RemoteFile file{.url = url, .size = 0, .sha256 = header_value(answer, "x-linked-etag")};
  const std::string size = header_value(answer, "x-linked-size");
  const auto [end, code] = std::from_chars(size.data(), size.data() + size.size(), file.size);
  if (size.empty() || code != std::errc{} || end != size.data() + size.size() || file.sha256.size() != 64 ||
      file.sha256.find_first_not_of("0123456789abcdef") != std::string::npos) {
    fail(
        "{}: the server does not say the size and checksum of the file (X-Linked-Size, X-Linked-ETag): is it "
        "a "
        "proxy's page?",
        url);
  }
  return file;
}

bool download(const RemoteFile& file, const Path& path, const OnBytes& on_bytes) {
  if (std::filesystem::exists(path)) {
    if (sha256_file(path) == file.sha256) return false;
    fail("{} is there with other contents: move it away or choose another directory with --out",
         path.string());
  }
  const Path directory = path.has_parent_path() ? path.parent_path() : Path(".");
  make_directories(directory);
  const DirectoryLock lock(directory, "fetching into");
  const Path part = path.string() + ".part";
  if (size_of(part) > file.size) remove_tree(part);
  if (size_of(part) < file.size) fetch(file.url, part, on_bytes);
  const std::uint64_t size = size_of(part);
  const std::string found = sha256_file(part);
  if (found != file.sha256) {
    remove_tree(part);
    fail("{}: what arrived is not the expected file ({} bytes, sha256 {}..., expected {} bytes, {}...)",
         file.url, size, found.substr(0, 12), file.size, file.sha256.substr(0, 12));
  }
  make_durable(part);
  rename_path(part, path);
  sync_directory(directory);
  return true;
}

}  // namespace vkgpt::cli
