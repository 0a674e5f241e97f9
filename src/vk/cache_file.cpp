#include "vk/cache_file.hpp"

#include <atomic>
#include <exception>
#include <fstream>
#include <string_view>
#include <system_error>

#include <unistd.h>

#include "vkgpt/core/file.hpp"
#include "vkgpt/core/format.hpp"
#include "vkgpt/core/hash.hpp"
#include "vkgpt/core/log.hpp"

namespace vkgpt::vk {
namespace {

// A file is this line, the SHA-256 of the payload in hexadecimal digits, and the payload.
constexpr std::string_view kMagic = "vkgpt cache 1\n";
constexpr std::size_t kDigestSize = 64;

}  // namespace

std::optional<std::string> read_cache_file(const std::filesystem::path& path) {
  std::error_code error;
  if (!std::filesystem::is_regular_file(path, error)) return std::nullopt;
  try {
    const std::string contents = read_file(path);
    const std::string_view view = contents;
    if (view.size() < kMagic.size() + kDigestSize || !view.starts_with(kMagic)) return std::nullopt;
    std::string payload(view.substr(kMagic.size() + kDigestSize));
    if (sha256(payload) != view.substr(kMagic.size(), kDigestSize)) return std::nullopt;
    return payload;
  } catch (const std::exception& e) {
    log_debug("cache not read: {}", e.what());
    return std::nullopt;
  }
}

void write_cache_file(const std::filesystem::path& path, std::span<const std::byte> payload) {
  // No fsync: a file that a crash cuts short fails its checksum and costs a compilation.
  static std::atomic<int> serial = 0;
  const std::string temporary = vkgpt::format("{}.{}-{}.tmp", path.string(), getpid(), serial++);
  std::error_code error;
  try {
    std::filesystem::create_directories(path.parent_path());
    const std::string_view text(reinterpret_cast<const char*>(payload.data()), payload.size());
    std::ofstream file(temporary, std::ios::binary);
    file << kMagic << sha256(text) << text;
    file.close();
    if (!file) fail("cannot write {}", temporary);
    std::filesystem::rename(temporary, path);
  } catch (const std::exception& e) {
    log_debug("cache not written: {}", e.what());
    std::filesystem::remove(temporary, error);
  }
}

}  // namespace vkgpt::vk
