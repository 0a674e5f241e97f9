#pragma once

#include <algorithm>
#include <cstdint>
#include <vector>

#include "vkgpt/model/gpt_params.hpp"
#include "vkgpt/model/train_step.hpp"

namespace vkgpt::model {

/// Elements [first, first + count) of the trainable part of the arenas.
struct ArenaRange {
  std::int64_t first = 0;
  std::int64_t count = 0;

  std::int64_t end() const { return first + count; }
  bool contains(std::int64_t element) const { return element >= first && element < end(); }
  ArenaRange common(ArenaRange other) const {
    const std::int64_t from = std::max(first, other.first);
    return {from, std::max<std::int64_t>(0, std::min(end(), other.end()) - from)};
  }
  friend bool operator==(const ArenaRange&, const ArenaRange&) = default;
};

/// The part of a bucket that one rank sums up.
struct ExchangePiece {
  ArenaRange range;
  std::int64_t owner = 0;
  std::int64_t bucket = 0;
  std::int64_t place = 0;  // words into kWireIn of its owner, where the first contribution lies
};

/// How the gradient arena is divided between ranks. A pure function of the model and of how many ranks there
/// are, so that every rank knows it of all.
struct ExchangeLayout {
  std::int64_t elements = 0;             // the trainable part of the arenas
  std::int64_t wire_ratio = 1;           // elements in a word
  std::vector<ArenaRange> shards;        // by rank: what it sums, updates and sends to the others
  std::vector<ArenaRange> parts;         // of the norm, which do not depend on the number of ranks
  std::vector<std::int64_t> first_part;  // of each shard, and at the end how many there are
  std::vector<ArenaRange> buckets;       // from the arena's end, as the backward finishes them
  std::vector<ExchangePiece> pieces;     // bucket by bucket

  std::int64_t size() const { return static_cast<std::int64_t>(shards.size()); }
  std::int64_t words(std::int64_t elements_) const { return elements_ / wire_ratio; }
  /// Words of kWireIn and kWireOut.
  std::int64_t incoming_words(std::int64_t rank) const;
  std::int64_t outgoing_words(std::int64_t rank) const;
};

/// Blocks of each part of the norm.
inline constexpr std::int64_t kNormBlocks = 32;

/// Whether Muon takes the parameter: the matrices inside the blocks.
bool is_hidden_matrix(const ParamSpec& spec);

/// Throws a usage error where the model has fewer parts than there are ranks.
ExchangeLayout exchange_layout(const GptParams& params, OptimizerKind optimizer, const RankOptions& ranks);

}  // namespace vkgpt::model
