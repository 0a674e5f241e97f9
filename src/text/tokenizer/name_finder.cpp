#include "text/tokenizer/name_finder.hpp"

#include <algorithm>

namespace vkgpt::text {

void NameFinder::add(std::string_view name, Token token) {
  first_bytes_.set(static_cast<unsigned char>(name.front()));
  longest_ = std::max(longest_, name.size());
  std::uint32_t node = 0;
  for (const char byte : name) {
    const std::uint64_t key = std::uint64_t{node} << 8U | static_cast<unsigned char>(byte);
    const auto [step, fresh] = steps_.emplace(key, static_cast<std::uint32_t>(nodes_.size()));
    if (fresh) nodes_.emplace_back();
    node = step->second;
  }
  nodes_[node].token = token;
}

NameFinder::Match NameFinder::find(std::string_view text, std::size_t at) const {
  for (; at < text.size(); ++at) {
    if (!first_bytes_.test(static_cast<unsigned char>(text[at]))) continue;
    Match match;
    std::uint32_t node = 0;
    for (std::size_t end = at; end < text.size();) {
      node = step(node, text[end++]);
      if (node == 0) break;
      if (nodes_[node].token >= 0) match = {.begin = at, .end = end, .token = nodes_[node].token};
    }
    if (match.token >= 0) return match;
  }
  return {.begin = text.size(), .end = text.size(), .token = -1};
}

bool NameFinder::may_cross(std::string_view text, std::size_t at, bool touching) const {
  const std::size_t last = touching ? std::min(at + 1, text.size()) : at;
  for (std::size_t begin = at - std::min(at, longest_); begin < last; ++begin) {
    std::uint32_t node = step(0, text[begin]);
    std::size_t end = begin + 1;
    for (; node != 0 && end < std::min(text.size(), at + 1); ++end) {
      if (touching && end == at && nodes_[node].token >= 0) return true;
      node = step(node, text[end]);
    }
    if (node != 0 && (end > at || end == text.size())) return true;
  }
  return false;
}

}  // namespace vkgpt::text
