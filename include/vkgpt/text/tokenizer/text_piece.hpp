#pragma once

#include <cstddef>
#include <cstdint>
#include <string>

namespace vkgpt::text {

/// A stretch of a document.
struct TextPiece {
  std::string text;  ///< whole characters where the input is UTF-8
  bool ends_document = false;
  std::size_t input = 0;     ///< which of the inputs
  std::uint64_t offset = 0;  ///< bytes of that input that lie before the end of this piece
};

}  // namespace vkgpt::text
