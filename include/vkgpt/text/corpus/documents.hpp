#pragma once

#include <cstdint>
#include <vector>

namespace vkgpt::text {

/// A document in a sequence of tokens.
struct DocumentSpan {
  std::uint64_t begin = 0;   ///< its first token
  std::uint32_t tokens = 0;  ///< how many

  friend bool operator==(const DocumentSpan&, const DocumentSpan&) = default;
};

/// What is known of a split beside its tokens.
struct Documents {
  std::vector<DocumentSpan> spans;  ///< in ascending order
  /// For each token of the split, whether a model is to learn to say it: what assistants say in
  /// conversations. Empty: all of them.
  std::vector<bool> counted;
};

}  // namespace vkgpt::text
