#pragma once

#include <string>

namespace vkgpt::test {

/// `text` as gzip packs it, and as Zstandard does.
std::string gzip(const std::string& text);
std::string zstd(const std::string& text);

}  // namespace vkgpt::test
