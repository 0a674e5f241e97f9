#include "text/tokenizer/bpe_encoder.hpp"

#include <algorithm>
#include <bit>
#include <exception>
#include <limits>
#include <queue>
#include <utility>

#include "vkgpt/core/check.hpp"
#include "vkgpt/core/error.hpp"
#include "vkgpt/core/utf8.hpp"
#include "vkgpt/text/tokenizer/byte_level.hpp"

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

  // A long word: a list of tokens, each at the place of the first of those that it was merged from.
  std::vector<Token> token;          // -1 where a merge swallowed it
  std::vector<std::int32_t> next;    // their number at the end
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

/// Scratch memory from the pool for the time of one call.
class BpeEncoder::Borrowed {
 public:
  explicit Borrowed(const BpeEncoder& encoder) : encoder_(encoder) {
    {
      const std::scoped_lock lock(encoder.mutex_);
      if (!encoder.idle_.empty()) {
        scratch_ = std::move(encoder.idle_.back());
        encoder.idle_.pop_back();
      }
    }
    if (!scratch_) scratch_ = std::make_unique<Scratch>();
  }
  Borrowed(const Borrowed&) = delete;
  Borrowed& operator=(const Borrowed&) = delete;
  ~Borrowed() {
    if (scratch_->token.capacity() > kKeptBytes || std::uncaught_exceptions() > exceptions_) return;
    const std::scoped_lock lock(encoder_.mutex_);
    encoder_.idle_.push_back(std::move(scratch_));
  }

  Scratch& operator*() const { return *scratch_; }

 private:
  const BpeEncoder& encoder_;
  int exceptions_ = std::uncaught_exceptions();
  std::unique_ptr<Scratch> scratch_;
};

BpeEncoder::BpeEncoder(const BpeVocabulary& vocabulary, const std::string& where)
    : vocabulary_(vocabulary),
      token_of_(index_tokens(vocabulary, where)),
      first_(vocabulary, token_of_),
      pairs_(vocabulary.merges, where) {
  check_merges(where);
  for (const std::string& token : vocabulary.tokens) {
    for (std::size_t i = 1; i < token.size(); ++i) {
      neighbours_.set(static_cast<unsigned char>(token[i - 1]) * 256U + static_cast<unsigned char>(token[i]));
    }
  }
  if (!vocabulary.ignore_merges) token_of_.clear();
}

BpeEncoder::~BpeEncoder() = default;

/// Checks the tokens and gives them by their bytes.
std::unordered_map<std::string_view, Token> BpeEncoder::index_tokens(const BpeVocabulary& v,
                                                                     const std::string& where) {
  if (v.tokens.size() >= std::size_t{std::numeric_limits<Token>::max()} ||
      v.merges.size() >= std::size_t{std::numeric_limits<Token>::max()}) {
    fail("{}: {} tokens and {} merges are too many", where, v.tokens.size(), v.merges.size());
  }
  std::vector<bool> special(v.tokens.size());
  for (const AddedToken& one : v.specials) {
    const auto place = static_cast<std::size_t>(one.token);
    if (one.token < 0 || place >= v.tokens.size() || one.name.empty()) {
      fail("{}: special token '{}' with number {} in a vocabulary of {}", where, printable(one.name),
           one.token, v.tokens.size());
    }
    if (special[place]) {
      fail("{}: special token '{}' has the number {} of another", where, printable(one.name), one.token);
    }
    special[place] = true;
    if (v.tokens[place] != one.name && v.tokens[place] != from_byte_level(one.name)) {
      fail("{}: token {} is '{}' and special token '{}' at once", where, one.token,
           printable(v.tokens[place]), printable(one.name));
    }
  }
  std::unordered_map<std::string_view, Token> token_of;
  token_of.reserve(v.tokens.size());
  for (std::size_t i = 0; i < v.tokens.size(); ++i) {
    // A byte that is an added token too is still a byte.
    if ((special[i] && !v.of_characters && v.tokens[i].size() > 1) || v.tokens[i].empty()) continue;
    const auto [found, fresh] = token_of.emplace(v.tokens[i], static_cast<Token>(i));
    if (!fresh) fail("{}: tokens {} and {} are both '{}'", where, found->second, i, printable(v.tokens[i]));
  }
  for (const AddedToken& one : v.specials) {
    const auto bytes = v.of_characters ? std::nullopt : from_byte_level(one.name);
    const auto same = bytes ? token_of.find(*bytes) : token_of.end();
    if (same != token_of.end() && same->second != one.token) {
      fail("{}: special token '{}' is written as token {} is", where, printable(one.name), same->second);
    }
  }
  return token_of;
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
  if (vocabulary_.merges.empty() && !vocabulary_.ignore_merges && has_all_bytes()) {
    const std::size_t before = out.size();
    out.resize(before + text.size());
    first_.put(text, out.data() + before);
    return;
  }
  const Borrowed scratch(*this);
  std::size_t begin = 0;
  split.cut(text, [&](std::size_t end) {
    append_cached(text, begin, end, *scratch, out);
    begin = end;
  });
}

void BpeEncoder::append_word(std::string_view text, std::vector<Token>& out) const {
  const Borrowed scratch(*this);
  for (std::size_t begin = 0; begin < text.size();) {
    std::size_t end = text.size();
    if (vocabulary_.of_characters && !vocabulary_.ignore_merges) {
      end = begin;
      do {
        end += std::max<std::size_t>(1, decode_utf8(text, end).length);
      } while (end < text.size() && first_.may_join(text, end));
    }
    append_cached(text, begin, end, *scratch, out);
    begin = end;
  }
}

void BpeEncoder::append_cached(std::string_view text, std::size_t begin, std::size_t end, Scratch& scratch,
                               std::vector<Token>& out) const {
  const std::size_t length = end - begin;
  if (length > WordCache::kMaxBytes) return append_uncached(text.substr(begin, length), scratch, out);
  const WordCache::Key key = WordCache::key_of(text, begin, length);
  WordCache::Entry& entry = scratch.cache.entry(key);
  if (entry.key == key) {
    for (std::uint32_t i = 0; i < entry.count; ++i) out.push_back(entry.tokens[i]);
    return;
  }
  const std::size_t first = out.size();
  append_uncached(text.substr(begin, length), scratch, out);
  WordCache::store(entry, key, std::span(out).subspan(first));
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
  // Characters were cut apart already; an unknown byte may have to be joined with the next one.
  if (!has_all_bytes()) return merge_long(word, scratch, out);
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
  std::size_t n = first_.put(word, tokens.data());
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
  if (word.size() > std::size_t{std::numeric_limits<std::int32_t>::max()}) {
    fail("a word of {} bytes cannot be encoded: the split pattern should cut the text", word.size());
  }
  scratch.token.resize(word.size());
  const std::size_t n = first_.put(word, scratch.token.data());
  scratch.token.resize(n);
  scratch.next.resize(n);
  scratch.before.resize(n);
  scratch.bucket_of.resize(vocabulary_.merges.size(), -1);
  for (std::size_t i = 0; i < n; ++i) {
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
