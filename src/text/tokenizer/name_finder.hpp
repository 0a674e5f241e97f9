#pragma once

#include <bitset>
#include <cstddef>
#include <cstdint>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "vkgpt/text/tokenizer/token.hpp"

namespace vkgpt::text {

/// Finds names of tokens in a text: of those that begin at the same byte the longest.
class NameFinder {
 public:
  struct Match {
    std::size_t begin = 0;
    std::size_t end = 0;
    Token token = -1;  ///< -1 where nothing was found; begin and end are the text's length then
  };

  /// `name` is not empty. The last token of a name counts.
  void add(std::string_view name, Token token);

  bool empty() const { return nodes_.size() == 1; }

  /// Calls `on_name(end, token)` for each name that begins at `text[at]`, the shortest first.
  template <typename OnName>
  void for_each_beginning(std::string_view text, std::size_t at, const OnName& on_name) const {
    std::uint32_t node = 0;
    while (at < text.size()) {
      node = step(node, text[at++]);
      if (node == 0) return;
      if (nodes_[node].token >= 0) on_name(at, nodes_[node].token);
    }
  }

  /// The first match from `at` on.
  Match find(std::string_view text, std::size_t at) const;

  /// Whether a name could begin before byte `at` and end after it, given that the text may go on; with
  /// `touching` also where it could begin or end just there.
  bool may_cross(std::string_view text, std::size_t at, bool touching = false) const;

 private:
  struct Node {
    Token token = -1;
  };

  /// The node after `byte`, or 0.
  std::uint32_t step(std::uint32_t node, char byte) const {
    const auto found = steps_.find(std::uint64_t{node} << 8U | static_cast<unsigned char>(byte));
    return found == steps_.end() ? 0 : found->second;
  }

  std::vector<Node> nodes_{1};
  std::unordered_map<std::uint64_t, std::uint32_t> steps_;
  std::bitset<256> first_bytes_;
  std::size_t longest_ = 0;
};

}  // namespace vkgpt::text
