#include "vkgpt/train/packing.hpp"

#include <algorithm>
#include <functional>
#include <map>
#include <numeric>
#include <utility>

#include "vkgpt/core/check.hpp"
#include "vkgpt/core/error.hpp"

namespace vkgpt::train {
namespace {

/// Whether a token behind the first is to be learned.
bool teaches(const text::Documents& documents, const text::DocumentSpan& span) {
  if (span.tokens < 2) return false;
  if (documents.counted.empty()) return true;
  const auto at = documents.counted.begin() + static_cast<std::ptrdiff_t>(span.begin);
  return std::any_of(at + 1, at + span.tokens, [](bool counted) { return counted; });
}

using Pair = std::array<text::DocumentSpan, 2>;

/// That both replies of a pair take.
std::int64_t positions(const Pair& pair) {
  return std::int64_t{pair[0].tokens} + pair[1].tokens - 2;
}

/// With a window's positions: a reply that takes no more than half stays whole.
Pair shortened(Pair pair, std::int64_t T) {
  const bool first = pair[0].tokens < pair[1].tokens;
  text::DocumentSpan& shorter = first ? pair[0] : pair[1];
  text::DocumentSpan& longer = first ? pair[1] : pair[0];
  shorter.tokens = static_cast<std::uint32_t>(std::min<std::int64_t>(shorter.tokens, T / 2 + 1));
  longer.tokens = static_cast<std::uint32_t>(T - shorter.tokens + 2);
  return pair;
}

}  // namespace

Overlong parse_overlong(std::string_view name) {
  if (name == "drop") return Overlong::kDrop;
  if (name == "error") return Overlong::kError;
  if (name == "split") return Overlong::kSplit;
  VKGPT_CHECK(name == "truncate", "overlong '{}'", name);
  return Overlong::kTruncate;
}

Packing::Packing(const text::Documents& documents, std::int64_t T, bool several, Overlong overlong,
                 const std::string& name)
    : T_(T) {
  VKGPT_CHECK(T >= 1, "T = {}", T);
  std::vector<text::DocumentSpan> fit = fitting(documents, overlong, name);
  if (several) {
    pack(std::move(fit));
    return;
  }
  documents_ = std::move(fit);
  first_.resize(documents_.size() + 1);
  std::iota(first_.begin(), first_.end(), std::size_t{0});
}

std::vector<text::DocumentSpan> Packing::fitting(const text::Documents& documents, Overlong overlong,
                                                 const std::string& name) {
  const auto most = static_cast<std::uint32_t>(T_ + 1);
  std::vector<text::DocumentSpan> fit;
  const auto add = [&](const text::DocumentSpan& span) {
    if (teaches(documents, span)) {
      fit.push_back(span);
    } else {
      ++report_.empty;
    }
  };
  std::uint64_t number = 0;
  for (text::DocumentSpan span : documents.spans) {
    ++number;
    if (span.tokens <= most) {
      add(span);
      continue;
    }
    if (overlong == Overlong::kError) {
      fail(
          "{}: document {} has {} tokens, a window of --block_size {} holds {}: use a larger one, or "
          "--overlong "
          "truncate or drop",
          name, number, span.tokens, T_, most);
    }
    if (overlong == Overlong::kDrop) {
      ++report_.dropped;
      continue;
    }
    ++report_.cut;
    // Parts share a token: the last target of one is the first that the next reads.
    while (overlong == Overlong::kSplit && span.tokens > most) {
      add({span.begin, most});
      span.begin += most - 1;
      span.tokens -= most - 1;
    }
    add({span.begin, std::min(span.tokens, most)});
  }
  return fit;
}

void Packing::pack(std::vector<text::DocumentSpan> documents) {
  std::ranges::stable_sort(documents, [](const text::DocumentSpan& a, const text::DocumentSpan& b) {
    return a.tokens > b.tokens;
  });
  std::vector<std::vector<text::DocumentSpan>> windows;
  std::multimap<std::int64_t, std::size_t> room;  // that is left in which window
  for (const text::DocumentSpan& span : documents) {
    const std::int64_t wanted = std::int64_t{span.tokens} - 1;
    const auto found = room.lower_bound(wanted);
    if (found == room.end()) {
      windows.push_back({span});
      room.emplace(T_ - wanted, windows.size() - 1);
      continue;
    }
    const auto [left, window] = *found;
    windows[window].push_back(span);
    room.erase(found);
    room.emplace(left - wanted, window);
  }
  for (auto& window : windows) std::ranges::sort(window, {}, &text::DocumentSpan::begin);
  std::ranges::sort(windows, {}, [](const auto& window) { return window.front().begin; });
  for (const auto& window : windows) {
    documents_.insert(documents_.end(), window.begin(), window.end());
    first_.push_back(documents_.size());
  }
}

Packing Packing::of_pairs(const text::Documents& documents, std::int64_t T, std::int64_t most,
                          Overlong overlong, const std::string& name) {
  VKGPT_CHECK(T >= 1 && most >= 1 && documents.spans.size() % 2 == 0, "T = {}, {} pairs a window", T, most);
  Packing packing;
  packing.T_ = T;
  std::vector<Pair> fit;
  for (std::size_t i = 0; i < documents.spans.size(); i += 2) {
    Pair pair{documents.spans[i], documents.spans[i + 1]};
    if (positions(pair) > T) {
      if (overlong == Overlong::kError) {
        fail(
            "{}: pair {} takes {} positions, a window of --block_size {} has {}: use a larger one, or "
            "--overlong truncate or drop",
            name, i / 2 + 1, positions(pair), T, T);
      }
      if (overlong == Overlong::kDrop || T < 2) {
        ++packing.report_.dropped;
        continue;
      }
      ++packing.report_.cut;
      pair = shortened(pair, T);
    }
    if (teaches(documents, pair[0]) && teaches(documents, pair[1])) {
      fit.push_back(pair);
    } else {
      ++packing.report_.empty;
    }
  }
  packing.pack_pairs(std::move(fit), most);
  return packing;
}

/// The longest first, each into the window with the least room that has enough.
void Packing::pack_pairs(std::vector<std::array<text::DocumentSpan, 2>> pairs, std::int64_t most) {
  std::ranges::stable_sort(pairs, std::greater(), positions);
  std::vector<std::vector<Pair>> windows;
  std::multimap<std::int64_t, std::size_t> room;
  for (const Pair& pair : pairs) {
    const std::int64_t wanted = positions(pair);
    const auto found = room.lower_bound(wanted);
    const std::size_t window = found == room.end() ? windows.size() : found->second;
    const std::int64_t left = (found == room.end() ? T_ : found->first) - wanted;
    if (found == room.end()) {
      windows.emplace_back();
    } else {
      room.erase(found);
    }
    windows[window].push_back(pair);
    if (std::ssize(windows[window]) < most) room.emplace(left, window);
  }
  const auto begin = [](const Pair& pair) { return pair[0].begin; };
  for (auto& window : windows) std::ranges::sort(window, {}, begin);
  std::ranges::sort(windows, {}, [&](const auto& window) { return begin(window.front()); });
  for (const auto& window : windows) {
    for (const Pair& pair : window) documents_.insert(documents_.end(), pair.begin(), pair.end());
    first_.push_back(documents_.size());
  }
}

std::span<const text::DocumentSpan> Packing::window(std::size_t index) const {
  VKGPT_CHECK(index < size(), "window {} of {}", index, size());
  return std::span(documents_).subspan(first_[index], first_[index + 1] - first_[index]);
}

std::int64_t Packing::tokens(std::size_t index) const {
  std::int64_t sum = 0;
  for (const text::DocumentSpan& span : window(index)) sum += std::int64_t{span.tokens} - 1;
  return sum;
}

}  // namespace vkgpt::train
