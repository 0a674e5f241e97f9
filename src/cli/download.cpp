#include "vkgpt/cli/download.hpp"

#include <cerrno>
#include <filesystem>
#include <format>
#include <optional>
#include <system_error>
#include <vector>

#include <fcntl.h>
#include <unistd.h>

#include "vkgpt/cli/process.hpp"
#include "vkgpt/core/error.hpp"

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

void fetch(const std::string& url, const Path& part) {
  const std::vector<std::vector<std::string>> programs = {
      {"curl", "-q", "-f", "-s", "-L", "--connect-timeout", "15", "--speed-limit", "1", "--speed-time", "60",
       "--retry", "2", "-C", "-", "-o", part.string(), "--", url},
      {"wget", "-q", "-c", "-T", "15", "-t", "3", "-O", part.string(), "--", url}};
  for (const std::vector<std::string>& words : programs) {
    const std::optional<int> code = run_process(words);
    if (!code) continue;
    if (*code != 0)
      fail("cannot download {}: {} ended with {}: {}", url, words[0], *code, meaning_of(words[0], *code));
    return;
  }
  fail("cannot download {}: neither curl nor wget is installed", url);
}

std::uint64_t size_of(const Path& path) {
  std::error_code error;
  const std::uint64_t size = std::filesystem::file_size(path, error);
  return error ? 0 : size;
}

void make_durable(const Path& path) {
  const int fd = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (fd < 0) throw IoError("open", path, errno);
  const int code = ::fsync(fd) == 0 ? 0 : errno;
  ::close(fd);
  if (code != 0) throw IoError("fsync", path, code);
}

}  // namespace

bool download(const RemoteFile& file, const Path& path) {
  if (std::filesystem::exists(path)) {
    if (sha256_file(path) == file.sha256) return false;
    fail("{} is there with other contents: move it away or choose another directory with --out",
         path.string());
  }
  const Path directory = path.has_parent_path() ? path.parent_path() : Path(".");
  make_directories(directory);
  const Path part = path.string() + ".part";
  if (size_of(part) > file.size) remove_tree(part);
  if (size_of(part) < file.size) fetch(std::string(file.url), part);
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
