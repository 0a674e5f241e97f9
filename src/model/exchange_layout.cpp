#include "vkgpt/model/exchange_layout.hpp"

#include "vkgpt/core/check.hpp"
#include "vkgpt/core/error.hpp"

namespace vkgpt::model {
namespace {

// The 8-bit optimizer treats tensors below 4096 elements apart: no cut leaves so little of a larger one.
constexpr std::int64_t kCutMultiple = 4096;
constexpr std::int64_t kLargestUnit = 1 << 20;
constexpr std::int64_t kUnits = 128;
// What every device of Vulkan binds at once: the contributions of all ranks to a piece.
constexpr std::int64_t kBoundElements = (128 << 20) / 4;

std::int64_t unit_elements(std::int64_t arena) {
  const std::int64_t wanted = (arena / kUnits + kCutMultiple - 1) / kCutMultiple * kCutMultiple;
  return std::clamp(wanted, kCutMultiple, kLargestUnit);
}

/// `range` in pieces of `target`; the last one has what is left, up to twice as much.
void cut(ArenaRange range, std::int64_t target, std::vector<ArenaRange>& out) {
  while (range.count >= 2 * target) {
    out.push_back({range.first, target});
    range = {range.first + target, range.count - target};
  }
  out.push_back(range);
}

/// The trained parameters with the padding behind them.
std::vector<ArenaRange> padded_parameters(const GptParams& params) {
  std::vector<ArenaRange> ranges;
  for (const ParamSpec& spec : params.specs()) {
    if (!spec.trainable) continue;
    if (!ranges.empty()) ranges.back().count = spec.offset - ranges.back().first;
    ranges.push_back({spec.offset, params.trainable_elements() - spec.offset});
  }
  return ranges;
}

/// Ranges between which shards may be cut.
std::vector<ArenaRange> units_of(const GptParams& params, OptimizerKind optimizer) {
  const std::int64_t target = unit_elements(params.trainable_elements());
  std::vector<ArenaRange> atoms;
  std::size_t next = 0;
  const std::vector<ArenaRange> padded = padded_parameters(params);
  for (const ParamSpec& spec : params.specs()) {
    if (!spec.trainable) continue;
    const ArenaRange range = padded[next++];
    if (optimizer == OptimizerKind::kMuon && is_hidden_matrix(spec)) {
      atoms.push_back(range);
    } else {
      cut(range, target, atoms);
    }
  }
  std::vector<ArenaRange> units;
  for (const ArenaRange atom : atoms) {
    if (!units.empty() && units.back().count < target) {
      units.back().count += atom.count;
    } else {
      units.push_back(atom);
    }
  }
  return units;
}

/// Runs of units, as even as they can be.
std::vector<ArenaRange> shards_of(const std::vector<ArenaRange>& units, std::int64_t elements,
                                  std::int64_t size) {
  std::vector<ArenaRange> shards;
  const auto count = static_cast<std::int64_t>(units.size());
  std::int64_t unit = 0;
  for (std::int64_t rank = 0; rank < size; ++rank) {
    const std::int64_t first = units[static_cast<std::size_t>(unit)].first;
    const std::int64_t wanted = elements * (rank + 1) / size;
    const std::int64_t last_allowed = count - (size - 1 - rank);  // one is left for each that follows
    ++unit;
    while (unit < last_allowed) {
      const ArenaRange& next = units[static_cast<std::size_t>(unit)];
      if (rank + 1 < size && next.first + next.count / 2 >= wanted) break;
      ++unit;
    }
    const std::int64_t end = unit < count ? units[static_cast<std::size_t>(unit)].first : elements;
    shards.push_back({first, end - first});
  }
  return shards;
}

/// From the end, at the beginnings of parameters; a larger parameter is cut.
std::vector<ArenaRange> buckets_of(const GptParams& params, std::int64_t limit) {
  std::vector<ArenaRange> buckets;
  const std::vector<ArenaRange> padded = padded_parameters(params);
  for (auto range = padded.rbegin(); range != padded.rend(); ++range) {
    if (!buckets.empty() && buckets.back().count + range->count <= limit) {
      buckets.back() = {range->first, buckets.back().count + range->count};
      continue;
    }
    for (std::int64_t end = range->end(); end > range->first;) {
      const std::int64_t first = std::max(range->first, end - limit);
      buckets.push_back({first, end - first});
      end = first;
    }
  }
  return buckets;
}

}  // namespace

std::int64_t ExchangeLayout::incoming_words(std::int64_t rank) const {
  return std::max(elements, size() * words(shards[static_cast<std::size_t>(rank)].count));
}

std::int64_t ExchangeLayout::outgoing_words(std::int64_t rank) const {
  return std::max(words(elements), shards[static_cast<std::size_t>(rank)].count);
}

bool is_hidden_matrix(const ParamSpec& spec) {
  return spec.trainable && spec.shape.rank() == 2 && spec.name.starts_with("h.");
}

ExchangeLayout exchange_layout(const GptParams& params, OptimizerKind optimizer, const RankOptions& ranks) {
  VKGPT_CHECK(ranks.size >= 1 && ranks.rank >= 0 && ranks.rank < ranks.size, "rank {} of {}", ranks.rank,
              ranks.size);
  ExchangeLayout layout;
  layout.elements = params.trainable_elements();
  layout.wire_ratio = ranks.bf16_wire ? 2 : 1;
  const std::vector<ArenaRange> units = units_of(params, optimizer);
  if (static_cast<std::int64_t>(units.size()) < ranks.size) {
    fail_usage("{} ranks for a model that divides into {} parts: use fewer, or a larger model", ranks.size,
               units.size());
  }
  layout.shards = shards_of(units, layout.elements, ranks.size);

  const std::int64_t target = unit_elements(layout.elements);
  for (const ArenaRange& shard : layout.shards) {
    layout.first_part.push_back(static_cast<std::int64_t>(layout.parts.size()));
    for (const ArenaRange& unit : units) {
      if (shard.contains(unit.first)) cut(unit, target, layout.parts);
    }
  }
  layout.first_part.push_back(static_cast<std::int64_t>(layout.parts.size()));

  constexpr std::int64_t kAlignment = GptParams::kAlignment;
  const std::int64_t limit = std::min(ranks.bucket_elements, kBoundElements / ranks.size);
  layout.buckets = buckets_of(params, std::max(kAlignment, limit / kAlignment * kAlignment));
  std::vector<std::int64_t> used(layout.shards.size(), 0);
  for (std::size_t bucket = 0; bucket < layout.buckets.size(); ++bucket) {
    for (std::size_t owner = 0; owner < layout.shards.size(); ++owner) {
      const ArenaRange range = layout.buckets[bucket].common(layout.shards[owner]);
      if (range.count == 0) continue;
      layout.pieces.push_back({.range = range,
                               .owner = static_cast<std::int64_t>(owner),
                               .bucket = static_cast<std::int64_t>(bucket),
                               .place = used[owner]});
      used[owner] += ranks.size * layout.words(range.count);
    }
  }
  return layout;
}

}  // namespace vkgpt::model
