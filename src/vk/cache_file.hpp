#pragma once

#include <cstddef>
#include <filesystem>
#include <optional>
#include <span>
#include <string>

namespace vkgpt::vk {

/// The payload of a cache file, or nothing when the file is missing, damaged or of another format. Never
/// throws for what is on the disk.
std::optional<std::string> read_cache_file(const std::filesystem::path& path);

/// Writes a cache file with a checksum under a name of its own and renames it. A cache is only a convenience:
/// failures are dropped with a debug line.
void write_cache_file(const std::filesystem::path& path, std::span<const std::byte> payload);

}  // namespace vkgpt::vk
