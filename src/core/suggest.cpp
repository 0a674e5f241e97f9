#include "vkgpt/core/suggest.hpp"

#include <algorithm>
#include <utility>
#include <vector>

namespace vkgpt {

std::size_t edit_distance(std::string_view a, std::string_view b) {
  std::vector<std::size_t> before_last(b.size() + 1);
  std::vector<std::size_t> last(b.size() + 1);
  std::vector<std::size_t> row(b.size() + 1);
  for (std::size_t j = 0; j <= b.size(); ++j) row[j] = j;
  for (std::size_t i = 1; i <= a.size(); ++i) {
    std::swap(before_last, last);
    std::swap(last, row);
    row[0] = i;
    for (std::size_t j = 1; j <= b.size(); ++j) {
      row[j] = std::min({last[j] + 1, row[j - 1] + 1, last[j - 1] + (a[i - 1] == b[j - 1] ? 0U : 1U)});
      if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1]) {
        row[j] = std::min(row[j], before_last[j - 2] + 1);
      }
    }
  }
  return row[b.size()];
}

std::string nearest_word(std::string_view word, std::span<const std::string> known) {
  constexpr std::size_t kLongestWord = 64;  // a hostile key is not worth a quadratic comparison
  if (word.empty() || word.size() > kLongestWord) return {};
  std::string nearest;
  std::size_t best = 2 + word.size() / 6;
  for (const std::string& candidate : known) {
    const std::size_t distance = edit_distance(word, candidate);
    if (distance < std::max(word.size(), candidate.size()) && distance < best + (nearest.empty() ? 1 : 0)) {
      best = distance;
      nearest = candidate;
    }
  }
  return nearest;
}

}  // namespace vkgpt
