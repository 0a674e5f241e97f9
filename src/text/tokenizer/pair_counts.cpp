#include "text/tokenizer/pair_counts.hpp"

#include <algorithm>
#include <functional>
#include <map>
#include <utility>

#include "vkgpt/core/check.hpp"
#include "vkgpt/core/error.hpp"

namespace vkgpt::text {
namespace {

constexpr std::uint32_t kBoundary = UINT32_MAX;
constexpr std::uint32_t kInside = UINT32_MAX - 1;  // a slot that is no token's first any more

std::uint64_t key_of(std::uint32_t left, std::uint32_t right) {
  return (std::uint64_t{left} << 32) | right;
}

}  // namespace

PairCounts::Map::Map() : slots_(1024) {}

std::size_t PairCounts::Map::home(std::uint64_t key) const {
  return ((key * 0x9e3779b97f4a7c15) >> 20) & (slots_.size() - 1);
}

/// Where `key` is, or the free slot where it would go.
std::size_t PairCounts::Map::slot_of(std::uint64_t key) const {
  std::size_t slot = home(key);
  while (slots_[slot].value != kNone && slots_[slot].key != key) slot = (slot + 1) & (slots_.size() - 1);
  return slot;
}

std::uint32_t PairCounts::Map::find(std::uint64_t key) const {
  return slots_[slot_of(key)].value;
}

void PairCounts::Map::insert(std::uint64_t key, std::uint32_t value) {
  if ((size_ + 1) * 4 > slots_.size() * 3) {
    const std::vector<Slot> old = std::exchange(slots_, std::vector<Slot>(slots_.size() * 2));
    for (const Slot& slot : old) {
      if (slot.value != kNone) slots_[slot_of(slot.key)] = slot;
    }
  }
  slots_[slot_of(key)] = {.key = key, .value = value};
  ++size_;
}

void PairCounts::Map::erase(std::uint64_t key) {
  const std::size_t mask = slots_.size() - 1;
  std::size_t gap = slot_of(key);
  if (slots_[gap].value == kNone) return;
  // What was pushed on beyond the gap moves back into it, so that no search ends early.
  for (std::size_t slot = (gap + 1) & mask; slots_[slot].value != kNone; slot = (slot + 1) & mask) {
    if (((slot - home(slots_[slot].key)) & mask) >= ((slot - gap) & mask)) {
      slots_[gap] = slots_[slot];
      gap = slot;
    }
  }
  slots_[gap].value = kNone;
  --size_;
}

void PairCounts::Side::meet(std::uint32_t token, std::uint64_t count) {
  Neighbour& neighbour = by_token[token];
  if (neighbour.occurrences++ == 0) met.push_back(token);
  neighbour.count += count;
}

void PairCounts::Side::clear() {
  for (const std::uint32_t token : met) by_token[token] = {};
  met.clear();
}

PairCounts::PairCounts(std::vector<WordTable> tables, std::span<const Token, 256> byte_tokens,
                       std::uint64_t min_count)
    : min_count_(std::max<std::uint64_t>(1, min_count)) {
  const auto [first, last] = std::ranges::minmax(byte_tokens);
  VKGPT_CHECK(first >= 0 && last - first == 255, "bytes are tokens {} to {}", first, last);
  lengths_.assign(static_cast<std::size_t>(last) + 1, 1);
  place_words(std::move(tables), byte_tokens);
  count_bytes(static_cast<std::uint32_t>(first));
}

void PairCounts::place_words(std::vector<WordTable> tables, std::span<const Token, 256> byte_tokens) {
  std::map<std::uint64_t, std::uint64_t, std::greater<>> ends;  // by count: slots, then where they end
  for (const WordTable& table : tables) {
    for (std::size_t i = 0; i < table.size(); ++i) {
      const WordTable::Word word = table.word(i);
      if (word.bytes.size() > 1) ends[word.count] += word.bytes.size() + 1;
    }
  }
  std::uint64_t slot_count = 1;
  for (auto& [count, size] : ends) {
    const std::uint64_t begin = slot_count;
    slot_count += std::exchange(size, begin);
  }
  if (slot_count >= kInside) {
    fail(
        "the different words of the text have {} bytes, more than the {} that BPE training can hold: "
        "train on a part of the text",
        slot_count, kInside);
  }
  slots_.assign(slot_count, kBoundary);
  for (WordTable& table : tables) {
    for (std::size_t i = 0; i < table.size(); ++i) {
      const WordTable::Word word = table.word(i);
      if (word.bytes.size() < 2) continue;
      std::uint64_t& at = ends[word.count];
      for (const char c : word.bytes) {
        slots_[at++] = static_cast<std::uint32_t>(byte_tokens[static_cast<unsigned char>(c)]);
      }
      ++at;
    }
    table = WordTable();
  }
  groups_.reserve(ends.size());
  for (const auto& [count, end] : ends) {
    groups_.push_back({.end = static_cast<std::uint32_t>(end), .count = count});
  }
}

void PairCounts::count_bytes(std::uint32_t first_byte) {
  std::vector<Neighbour> pairs(std::size_t{256} * 256);
  const auto each_pair = [&](const auto& visit) {
    auto group = groups_.begin();
    for (std::uint32_t at = 1; at + 1 < slots_.size(); ++at) {
      if (slots_[at] == kBoundary || slots_[at + 1] == kBoundary) continue;
      while (at >= group->end) ++group;
      visit(at, (slots_[at] - first_byte) * 256 + (slots_[at + 1] - first_byte), group->count);
    }
  };
  each_pair([&](std::uint32_t, std::uint32_t pair, std::uint64_t count) {
    pairs[pair].count += count;
    ++pairs[pair].occurrences;
  });
  for (std::uint32_t pair = 0; pair < pairs.size(); ++pair) {
    const std::uint64_t key = key_of(first_byte + pair / 256, first_byte + pair % 256);
    pairs[pair].kept = keep(key, pairs[pair].count, pairs[pair].occurrences);
  }
  each_pair([&](std::uint32_t at, std::uint32_t pair, std::uint64_t) {
    if (pairs[pair].kept != kNone) occurrences_[pairs[pair].kept].at.push_back(at);
  });
}

std::optional<PairCounts::Pair> PairCounts::take_strongest() {
  while (!candidates_.empty()) {
    Candidate top = candidates_.top();
    candidates_.pop();
    const std::uint32_t index = pairs_.find(top.key);
    if (index == kNone) continue;
    const std::uint64_t count = occurrences_[index].count;
    if (count != top.count) {
      top.count = count;
      candidates_.push(top);
      continue;
    }
    taken_ = std::move(occurrences_[index].at);
    release(top.key, index);
    left_ = static_cast<std::uint32_t>(top.key >> 32);
    right_ = static_cast<std::uint32_t>(top.key);
    return Pair{.left = static_cast<Token>(left_), .right = static_cast<Token>(right_), .count = count};
  }
  return std::nullopt;
}

void PairCounts::merge(Token token) {
  const auto merged = static_cast<std::uint32_t>(token);
  VKGPT_CHECK(merged >= lengths_.size(), "token {} is not new", merged);
  lengths_.resize(merged + std::size_t{1});
  lengths_[merged] = lengths_[left_] + lengths_[right_];
  before_.by_token.resize(lengths_.size());
  after_.by_token.resize(lengths_.size());
  replace_taken(merged);

  bool any = false;
  const auto keep_neighbour = [&](Neighbour& neighbour, std::uint64_t key) {
    neighbour.kept = keep(key, neighbour.count, neighbour.occurrences);
    any |= neighbour.kept != kNone;
  };
  for (const std::uint32_t x : before_.met) {
    if (x != merged) forget(key_of(x, left_), before_.by_token[x].count);
    keep_neighbour(before_.by_token[x], key_of(x, merged));
  }
  // Of "abab" the first "ab" met an "a" that the second one then took.
  const Neighbour& doubled = before_.by_token[merged];
  for (const std::uint32_t y : after_.met) {
    Neighbour& neighbour = after_.by_token[y];
    forget(key_of(right_, y), neighbour.count);
    if (y == left_) {
      neighbour.count -= doubled.count;
      neighbour.occurrences -= doubled.occurrences;
    }
    keep_neighbour(neighbour, key_of(merged, y));
  }
  if (any) list_new(merged);
  before_.clear();
  after_.clear();
}

/// Writes `merged` over the occurrences, leaves those in `taken_` that still were ones, and counts their
/// neighbours.
void PairCounts::replace_taken(std::uint32_t merged) {
  const std::uint32_t left_length = lengths_[left_];
  const std::uint32_t length = lengths_[merged];
  auto group = groups_.begin();
  std::size_t valid = 0;
  for (const std::uint32_t at : taken_) {
    if (slots_[at] != left_ || slots_[at + left_length] != right_) continue;
    if (at >= group->end) {
      group = std::ranges::upper_bound(group, groups_.end(), at, {}, &CountGroup::end);
    }
    const std::uint32_t before = slots_[at - 1];
    const std::uint32_t after = slots_[at + length];
    slots_[at + left_length] = kInside;
    slots_[at] = merged;
    slots_[at + length - 1] = merged;
    if (before != kBoundary) before_.meet(before, group->count);
    if (after != kBoundary) after_.meet(after, group->count);
    taken_[valid++] = at;
  }
  taken_.resize(valid);
}

void PairCounts::list_new(std::uint32_t merged) {
  const auto add = [&](const Neighbour& neighbour, std::uint32_t at) {
    if (neighbour.kept != kNone) occurrences_[neighbour.kept].at.push_back(at);
  };
  for (const std::uint32_t at : taken_) {
    const std::uint32_t before = slots_[at - 1];
    const std::uint32_t after = slots_[at + lengths_[merged]];
    if (before != kBoundary) add(before_.by_token[before], at - lengths_[before]);
    if (after != kBoundary && after != merged) add(after_.by_token[after], at);
  }
}

void PairCounts::forget(std::uint64_t key, std::uint64_t count) {
  const std::uint32_t index = pairs_.find(key);
  if (index == kNone) return;
  std::uint64_t& left = occurrences_[index].count;
  VKGPT_CHECK(left >= count, "{} of {} occurrences", count, left);
  left -= count;
  if (left < min_count_) release(key, index);
}

std::uint32_t PairCounts::keep(std::uint64_t key, std::uint64_t count, std::uint32_t occurrences) {
  if (count < min_count_) return kNone;
  if (free_.empty()) {
    free_.push_back(static_cast<std::uint32_t>(occurrences_.size()));
    occurrences_.emplace_back();
  }
  const std::uint32_t index = free_.back();
  free_.pop_back();
  occurrences_[index].count = count;
  occurrences_[index].at.reserve(occurrences);
  pairs_.insert(key, index);
  candidates_.push({.count = count, .key = key});
  return index;
}

void PairCounts::release(std::uint64_t key, std::uint32_t index) {
  pairs_.erase(key);
  occurrences_[index] = {};
  free_.push_back(index);
}

}  // namespace vkgpt::text
