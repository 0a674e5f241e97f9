#pragma once

#include <string>
#include <vector>

namespace vkgpt::test {

/// A member of a zip archive.
struct ZipPart {
  std::string name;
  std::string contents;
  bool deflated = false;  ///< else stored
};

/// The bytes of an archive of these.
std::string make_zip(const std::vector<ZipPart>& parts, const std::string& comment = "");

}  // namespace vkgpt::test
