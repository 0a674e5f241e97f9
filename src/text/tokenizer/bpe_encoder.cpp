#include "text/tokenizer/bpe_encoder.hpp"

#include <algorithm>
#include <bit>
#include <limits>
#include <queue>
#include <utility>

#include "vkgpt/core/check.hpp"
#include "vkgpt/core/error.hpp"
#include "vkgpt/core/utf8.hpp"

namespace vkgpt::text {
namespace {

constexpr std::size_t kShortBytes = 64;  // up to here looking for the strongest pair beats a queue
constexpr std::size_t kKeptBytes = std::size_t{1} << 22;  // the memory of a longer word is given back

}  // namespace

PairTable::PairTable(const std::vector<BpeVocabulary::Merge>& merges, const std::string& where)
    : mask_(std::bit_ceil(merges.size() * 2 + 2) - 1), entries_(mask_ + 1) {
  for (std::size_t i = 0; i < merges.size(); ++i) {
    auto& entry = const_cast<Entry&>(find(merges[i].left, merges[i].right));
    if (entry.pair != kNone) fail("{}: merge {} joins the same tokens as merge {}", where, i, entry.rank);
    entry = {.pair = key(merges[i].left, merges[i].right),
             .rank = static_cast<std::uint32_t>(i),
             .merged = merges[i].merged};
  }
}

/// What one thread needs while it encodes.
struct BpeEncoder::Scratch {
  WordCache cache;

  // A long word: a list of tokens, each at the place of its first byte.
  std::vector<Token> token;          // -1 where a merge swallowed it
  std::vector<std::int32_t> next;    // the word's length at the end
  std::vector<std::int32_t> before;  // -1 at the beginning

  /// Places whose pair has one rank; `next` counts those that are done.
  struct Bucket {
    std::vector<std::int32_t> places;
    std::size_t next = 0;
    bool sorted = true;
  };
  std::vector<Bucket> buckets;
  std::size_t bucket_count = 0;
  std::vector<std::int32_t> bucket_of;  // (merges) of a rank; -1 for none
  std::priority_queue<std::uint32_t, std::vector<std::uint32_t>, std::greater<>> ranks;

  Bucket& bucket(std::uint32_t rank) {
    std::int32_t& index = bucket_of[rank];
    if (index < 0) {
      index = static_cast<std::int32_t>(bucket_count++);
      if (bucket_count > buckets.size()) buckets.emplace_back();
      Bucket& fresh = buckets[static_cast<std::size_t>(index)];
      fresh.places.clear();
      fresh.next = 0;
      fresh.sorted = true;
    }
    Bucket& found = buckets[static_cast<std::size_t>(index)];
    if (found.next == found.places.size()) ranks.push(rank);  // it is not queued
    return found;
  }
};

BpeEncoder::BpeEncoder(const BpeVocabulary& vocabulary, const std::string& where)
    : vocabulary_(vocabulary), pairs_(vocabulary.merges, where) {
  check_tokens(where);
  check_merges(where);
  for (const std::string& token : vocabulary.tokens) {
    for (std::size_t i = 1; i < token.size(); ++i) {
      neighbours_.set(static_cast<unsigned char>(token[i - 1]) * 256U + static_cast<unsigned char>(token[i]));
    }
  }
  if (!vocabulary.ignore_merges) token_of_.clear();
}

BpeEncoder::~BpeEncoder() = default;

void BpeEncoder::check_tokens(const std::string& where) {
  const BpeVocabulary& v = vocabulary_;
  if (v.tokens.size() >= std::size_t{std::numeric_limits<Token>::max()} ||
      v.merges.size() >= std::size_t{std::numeric_limits<Token>::max()}) {
    fail("{}: {} tokens and {} merges are too many", where, v.tokens.size(), v.merges.size());
  }
  std::vector<bool> special(v.tokens.size());
  for (const BpeVocabulary::Special& one : v.specials) {
    if (one.token < 0 || static_cast<std::size_t>(one.token) >= v.tokens.size() || one.name.empty()) {
      fail("{}: special token '{}' with number {} in a vocabulary of {}", where, printable(one.name),
           one.token, v.tokens.size());
    }
    if (special[static_cast<std::size_t>(one.token)]) {
      fail("{}: special token '{}' has the number {} of another", where, printable(one.name), one.token);
    }
    special[static_cast<std::size_t>(one.token)] = true;
    if (v.tokens[static_cast<std::size_t>(one.token)] != one.name) {
      fail("{}: token {} is '{}' and special token '{}' at once", where, one.token,
           printable(v.tokens[static_cast<std::size_t>(one.token)]), printable(one.name));
    }
  }
  token_of_.reserve(v.tokens.size());
  for (std::size_t i = 0; i < v.tokens.size(); ++i) {
    if (special[i] || v.tokens[i].empty()) continue;
    const auto [found, fresh] = token_of_.emplace(v.tokens[i], static_cast<Token>(i));
    if (!fresh) fail("{}: tokens {} and {} are both '{}'", where, found->second, i, printable(v.tokens[i]));
  }
  for (const BpeVocabulary::Special& one : v.specials) {
    const auto bytes = from_byte_level(one.name);
    const auto same = bytes ? token_of_.find(*bytes) : token_of_.end();
    if (same != token_of_.end()) {
      fail("{}: special token '{}' is written as token {} is", where, printable(one.name), same->second);
    }
  }
  for (unsigned byte = 0; byte < 256; ++byte) {
    const char c = static_cast<char>(byte);
    const auto found = token_of_.find(std::string_view(&c, 1));
    if (found == token_of_.end()) {
      fail("{}: the vocabulary has no token for byte 0x{:02x}: a byte-level one needs all 256", where, byte);
    }
    byte_tokens_[byte] = found->second;
  }
}

void BpeEncoder::check_merges(const std::string& where) const {
  const auto& tokens = vocabulary_.tokens;
  const auto known = [&](Token token) {
    return token >= 0 && static_cast<std::size_t>(token) < tokens.size();
  };
  for (std::size_t i = 0; i < vocabulary_.merges.size(); ++i) {
    const BpeVocabulary::Merge& merge = vocabulary_.merges[i];
    if (!known(merge.left) || !known(merge.right) || !known(merge.merged)) {
      fail("{}: merge {} has a token outside the vocabulary of {}", where, i, tokens.size());
    }
    const std::string& left = tokens[static_cast<std::size_t>(merge.left)];
    const std::string& right = tokens[static_cast<std::size_t>(merge.right)];
    const std::string& merged = tokens[static_cast<std::size_t>(merge.merged)];
    if (left.empty() || right.empty() || merged.size() != left.size() + right.size() ||
        !merged.starts_with(left) || !merged.ends_with(right)) {
      fail("{}: merge {} says that '{}' and '{}' give '{}'", where, i, printable(left), printable(right),
           printable(merged));
    }
  }
}

void BpeEncoder::append_words(std::string_view text, const SplitPattern& split,
                              std::vector<Token>& out) const {
  if (vocabulary_.merges.empty() && !vocabulary_.ignore_merges) {
    out.reserve(out.size() + text.size());
    for (const char c : text) out.push_back(byte_tokens_[static_cast<unsigned char>(c)]);
    return;
  }
  std::unique_ptr<Scratch> scratch;
  {
    const std::scoped_lock lock(mutex_);
    if (!idle_.empty()) {
      scratch = std::move(idle_.back());
      idle_.pop_back();
    }
  }
  if (!scratch) scratch = std::make_unique<Scratch>();
  for (std::size_t at = 0; at < text.size();) {
    const std::size_t end = split.next(text, at);
    const std::size_t length = end - at;
    if (length <= WordCache::kMaxBytes) {
      const WordCache::Key key = WordCache::key_of(text, at, length);
      WordCache::Entry& entry = scratch->cache.entry(key);
      if (entry.key == key) {
        for (std::uint32_t i = 0; i < entry.count; ++i) out.push_back(entry.tokens[i]);
      } else {
        const std::size_t first = out.size();
        append_uncached(text.substr(at, length), *scratch, out);
        WordCache::store(entry, key, std::span(out).subspan(first));
      }
    } else {
      append_uncached(text.substr(at, length), *scratch, out);
    }
    at = end;
  }
  if (scratch->token.capacity() > kKeptBytes) return;
  const std::scoped_lock lock(mutex_);
  idle_.push_back(std::move(scratch));
}

void BpeEncoder::append_uncached(std::string_view word, Scratch& scratch, std::vector<Token>& out) const {
  if (vocabulary_.ignore_merges) {
    if (const auto found = token_of_.find(word); found != token_of_.end()) {
      out.push_back(found->second);
      return;
    }
  }
  if (word.size() <= kShortBytes) {
    merge_short(word, out);
  } else {
    append_long(word, scratch, out);
  }
}

void BpeEncoder::append_long(std::string_view word, Scratch& scratch, std::vector<Token>& out) const {
  // Where two bytes follow each other in no token, no merge joins them: the parts are independent.
  for (std::size_t begin = 0; begin < word.size();) {
    std::size_t end = begin + 1;
    while (end < word.size() && neighbours_.test(static_cast<unsigned char>(word[end - 1]) * 256U +
                                                 static_cast<unsigned char>(word[end]))) {
      ++end;
    }
    const std::string_view part = word.substr(begin, end - begin);
    if (part.size() <= kShortBytes) {
      merge_short(part, out);
    } else {
      merge_long(part, scratch, out);
    }
    begin = end;
  }
}

void BpeEncoder::merge_short(std::string_view word, std::vector<Token>& out) const {
  std::array<Token, kShortBytes> tokens;
  std::array<std::uint32_t, kShortBytes> ranks;  // of the pair that begins here
  std::array<Token, kShortBytes> merged;
  std::size_t n = word.size();
  for (std::size_t i = 0; i < n; ++i) tokens[i] = byte_tokens_[static_cast<unsigned char>(word[i])];
  const auto look = [&](std::size_t i) {
    const PairTable::Entry& entry = pairs_.find(tokens[i], tokens[i + 1]);
    ranks[i] = entry.rank;
    merged[i] = entry.merged;
  };
  for (std::size_t i = 0; i + 1 < n; ++i) look(i);
  while (n > 1) {
    std::size_t best = 0;
    for (std::size_t i = 1; i + 1 < n; ++i) {
      if (ranks[i] < ranks[best]) best = i;
    }
    if (ranks[best] == PairTable::kNoRank) break;
    tokens[best] = merged[best];
    for (std::size_t i = best + 1; i + 1 < n; ++i) {
      tokens[i] = tokens[i + 1];
      ranks[i] = ranks[i + 1];
      merged[i] = merged[i + 1];
    }
    --n;
    if (best > 0) look(best - 1);
    if (best + 1 < n) look(best);
  }
  out.insert(out.end(), tokens.begin(), tokens.begin() + static_cast<std::ptrdiff_t>(n));
}

void BpeEncoder::queue_pair(Scratch& scratch, std::int32_t at) const {
  const auto i = static_cast<std::size_t>(at);
  const auto j = static_cast<std::size_t>(scratch.next[i]);
  if (j >= scratch.token.size()) return;
  const std::uint32_t rank = pairs_.find(scratch.token[i], scratch.token[j]).rank;
  if (rank == PairTable::kNoRank) return;
  Scratch::Bucket& bucket = scratch.bucket(rank);
  if (!bucket.places.empty() && bucket.places.back() > at) bucket.sorted = false;
  bucket.places.push_back(at);
}

/// Merges all places of the strongest rank, from left to right; false where a merge made a stronger pair,
/// which has to go first.
bool BpeEncoder::apply_merge(Scratch& scratch, std::uint32_t rank) const {
  const BpeVocabulary::Merge& merge = vocabulary_.merges[rank];
  // Pairs of this rank cannot arise meanwhile, a merged token is longer than both of the pair; but buckets
  // may move when others are made.
  const auto index = static_cast<std::size_t>(scratch.bucket_of[rank]);
  if (!scratch.buckets[index].sorted) {
    auto& places = scratch.buckets[index].places;
    std::sort(places.begin() + static_cast<std::ptrdiff_t>(scratch.buckets[index].next), places.end());
    scratch.buckets[index].sorted = true;
  }
  for (; scratch.buckets[index].next < scratch.buckets[index].places.size();) {
    const std::int32_t at = scratch.buckets[index].places[scratch.buckets[index].next++];
    const auto i = static_cast<std::size_t>(at);
    const auto j = static_cast<std::size_t>(scratch.next[i]);
    if (scratch.token[i] != merge.left || j >= scratch.token.size() || scratch.token[j] != merge.right)
      continue;
    scratch.token[i] = merge.merged;
    scratch.token[j] = -1;
    scratch.next[i] = scratch.next[j];
    if (static_cast<std::size_t>(scratch.next[i]) < scratch.token.size()) {
      scratch.before[static_cast<std::size_t>(scratch.next[i])] = at;
    }
    if (scratch.before[i] >= 0) queue_pair(scratch, scratch.before[i]);
    queue_pair(scratch, at);
    if (!scratch.ranks.empty() && scratch.ranks.top() < rank) return false;
  }
  return true;
}

void BpeEncoder::merge_long(std::string_view word, Scratch& scratch, std::vector<Token>& out) const {
  const std::size_t n = word.size();
  if (n > std::size_t{std::numeric_limits<std::int32_t>::max()}) {
    fail("a word of {} bytes cannot be encoded: the split pattern should cut the text", n);
  }
  scratch.token.resize(n);
  scratch.next.resize(n);
  scratch.before.resize(n);
  scratch.bucket_of.resize(vocabulary_.merges.size(), -1);
  for (std::size_t i = 0; i < n; ++i) {
    scratch.token[i] = byte_tokens_[static_cast<unsigned char>(word[i])];
    scratch.next[i] = static_cast<std::int32_t>(i + 1);
    scratch.before[i] = static_cast<std::int32_t>(i) - 1;
  }
  for (std::size_t i = 0; i + 1 < n; ++i) queue_pair(scratch, static_cast<std::int32_t>(i));
  std::vector<std::uint32_t> used;
  while (!scratch.ranks.empty()) {
    const std::uint32_t rank = scratch.ranks.top();
    scratch.ranks.pop();
    used.push_back(rank);
    if (!apply_merge(scratch, rank)) {
      const Scratch::Bucket& rest = scratch.buckets[static_cast<std::size_t>(scratch.bucket_of[rank])];
      if (rest.next < rest.places.size()) scratch.ranks.push(rank);
    }
  }
  for (const std::uint32_t rank : used) scratch.bucket_of[rank] = -1;
  scratch.bucket_count = 0;
  for (std::size_t i = 0; i < n; i = static_cast<std::size_t>(scratch.next[i]))
    out.push_back(scratch.token[i]);
}

}  // namespace vkgpt::text
