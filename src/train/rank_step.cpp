#include "vkgpt/train/rank_step.hpp"

#include <algorithm>
#include <bit>
#include <cstring>
#include <numeric>
#include <optional>
#include <ranges>
#include <utility>

#include "vkgpt/comm/collectives.hpp"
#include "vkgpt/core/check.hpp"
#include "vkgpt/core/error.hpp"
#include "vkgpt/core/format.hpp"
#include "vkgpt/core/hash.hpp"
#include "vkgpt/core/utf8.hpp"

namespace vkgpt::train {
namespace {

namespace segment = model::segment;
namespace tensor = model::tensor;
using comm::Message;

constexpr std::int64_t kCheckInterval = 100;  // steps between comparisons of the replicas
constexpr std::size_t kWord = sizeof(std::uint32_t);

/// What rank 0 tells the others of a step.
struct Decision {
  std::uint32_t norm[4];
  float results[8];
  float pairs[4];
  std::uint32_t stop;
};

}  // namespace

RankStep::RankStep(comm::Communicator& ranks, plan::TensorStore& store, vk::Queue& queue,
                   model::ExchangeLayout layout, MicroStepPlan micro_steps, SumOrder order, bool on_pairs)
    : ranks_(ranks),
      store_(store),
      queue_(queue),
      layout_(std::move(layout)),
      micro_steps_(std::move(micro_steps)),
      order_(order),
      on_pairs_(on_pairs) {
  VKGPT_CHECK(layout_.size() == ranks.size(), "{} shards, {} ranks", layout_.size(), ranks.size());
}

RankStep::Result RankStep::run(const Hooks& hooks, bool stop) {
  losses_.clear();
  if (order_ == SumOrder::kStep) {
    run_waves(hooks);
  } else {
    run_in_place(hooks);
  }
  const int slot = slot_;
  const Result result = decide(hooks, slot, stop);
  if (hooks.wants_sums) {
    hooks.run(segment::kGradsOut, slot);
    queue_.wait_idle();
    gather_shards(slot, "statistics of gradients");
    hooks.run(segment::kGradsIn, slot);
    queue_.wait_idle();
  }
  hooks.run(segment::kShardUpdate, slot);
  queue_.wait_idle();
  if (ranks_.size() > 1) gather_shards(slot, "weights");
  hooks.run(segment::kSpread, slot);
  busy_[static_cast<std::size_t>(slot)] = queue_.submitted();
  if (++steps_ % kCheckInterval == 0) check_replicas();
  return result;
}

int RankStep::take_slot() {
  slot_ = (slot_ + 1) % plan::kSlotCount;
  queue_.wait(busy_[static_cast<std::size_t>(slot_)]);
  return slot_;
}

/// While a wave is computed, the gradients of the one before travel.
void RankStep::run_waves(const Hooks& hooks) {
  std::optional<Wave> before;
  std::int64_t micro_step = 0;
  bool is_first = true;
  for (const std::vector<int>& contributors : micro_steps_.waves) {
    const int slot = take_slot();
    const auto mine = std::ranges::find(contributors, rank());
    std::vector<std::uint64_t> ready;
    if (mine != contributors.end()) {
      hooks.fill(slot, micro_step + (mine - contributors.begin()));
      ready = hooks.micro_step(slot, true, true);
    }
    micro_step += static_cast<std::int64_t>(contributors.size());
    const Wave wave = begin_wave(contributors, std::move(ready), slot);
    if (before) {
      finish_wave(hooks, *before, is_first);
      is_first = false;
    }
    before = wave;
  }
  finish_wave(hooks, *before, is_first);
}

/// Micro-steps add up on their own device; the last one sends.
void RankStep::run_in_place(const Hooks& hooks) {
  const std::vector<std::int64_t> mine = micro_steps_.of(rank());
  for (std::size_t i = 0; i < mine.size(); ++i) {
    const bool is_last = i + 1 == mine.size();
    const int slot = take_slot();
    hooks.fill(slot, mine[i]);
    const std::vector<std::uint64_t> ready = hooks.micro_step(slot, i == 0, is_last);
    busy_[static_cast<std::size_t>(slot)] = queue_.submitted();
    if (!is_last) continue;
    std::vector<int> all(static_cast<std::size_t>(ranks_.size()));
    std::iota(all.begin(), all.end(), 0);
    finish_wave(hooks, begin_wave(std::move(all), ready, slot), true);
  }
}

RankStep::Wave RankStep::begin_wave(std::vector<int> contributors, std::vector<std::uint64_t> ready,
                                    int slot) {
  Wave wave{.slot = slot, .contributors = std::move(contributors), .ready = std::move(ready), .incoming = 0};
  std::vector<Message> messages;
  for (std::size_t p = 0; p < layout_.pieces.size(); ++p) {
    const model::ExchangePiece& piece = layout_.pieces[p];
    if (piece.owner != rank()) continue;
    const std::int64_t words = layout_.words(piece.range.count);
    for (std::size_t c = 0; c < wave.contributors.size(); ++c) {
      if (wave.contributors[c] == rank()) continue;
      const std::int64_t place = piece.place + static_cast<std::int64_t>(c) * words;
      messages.push_back(
          Message::receive(wave.contributors[c], incoming(slot, place, words), static_cast<int>(p) + 1)
              .copied(store_.has_mapped_slots()));
    }
  }
  wave.incoming = ranks_.post(std::move(messages), "gradients");
  busy_[static_cast<std::size_t>(slot)] = queue_.submitted();
  return wave;
}

/// Sends each bucket as soon as it is packed; this rank's own part goes to where the others' come.
void RankStep::send_buckets(const Wave& wave) {
  std::vector<std::size_t> order(layout_.buckets.size());
  std::iota(order.begin(), order.end(), std::size_t{0});
  std::ranges::stable_sort(order, {}, [&](std::size_t bucket) { return wave.ready[bucket]; });
  const auto own = std::ranges::find(wave.contributors, rank()) - wave.contributors.begin();
  std::vector<comm::Communicator::Ticket> tickets;
  for (const std::size_t bucket : order) {
    queue_.wait(wave.ready[bucket]);
    std::vector<Message> messages;
    for (std::size_t p = 0; p < layout_.pieces.size(); ++p) {
      const model::ExchangePiece& piece = layout_.pieces[p];
      if (piece.bucket != static_cast<std::int64_t>(bucket)) continue;
      const std::int64_t words = layout_.words(piece.range.count);
      const auto packed = outgoing(wave.slot, layout_.words(piece.range.first), words);
      if (piece.owner == rank()) {
        std::ranges::copy(packed, incoming(wave.slot, piece.place + own * words, words).begin());
      } else {
        messages.push_back(Message::send(static_cast<int>(piece.owner), packed, static_cast<int>(p) + 1)
                               .copied(store_.has_mapped_slots()));
      }
    }
    tickets.push_back(ranks_.post(std::move(messages), vkgpt::format("bucket {}", bucket)));
  }
  for (const comm::Communicator::Ticket ticket : tickets) ranks_.wait(ticket);
}

void RankStep::finish_wave(const Hooks& hooks, const Wave& wave, bool is_first) {
  if (!wave.ready.empty()) {
    send_buckets(wave);
    queue_.wait(*std::ranges::max_element(wave.ready));
    note_loss(wave.slot);
  }
  ranks_.wait(wave.incoming);
  const auto control = store_.upload_slot<std::uint32_t>(tensor::kFoldControl, wave.slot);
  control[0] = static_cast<std::uint32_t>(wave.contributors.size());
  control[1] = is_first ? 1 : 0;
  hooks.run(segment::kFold, wave.slot);
  busy_[static_cast<std::size_t>(wave.slot)] = queue_.submitted();
}

void RankStep::note_loss(int slot) {
  const auto loss = store_.readback_slot<std::uint32_t>(tensor::kLossOut, slot);
  losses_.push_back({.sum = loss[0], .count = loss[1]});
  if (!on_pairs_) return;
  std::ranges::copy(store_.readback_slot<float>(tensor::kPreferenceResults, slot).first(4),
                    losses_.back().pairs.begin());
}

/// One decision for all, taken by rank 0 from the partial sums of all shards in their order.
RankStep::Result RankStep::decide(const Hooks& hooks, int slot, bool stop) {
  hooks.run(segment::kNorm, slot);
  queue_.wait_idle();
  const auto partials = std::as_bytes(store_.readback_slot<float>(tensor::kNormOut, slot));
  std::vector<Message> messages;
  std::vector<std::vector<std::byte>> losses(static_cast<std::size_t>(ranks_.size()));
  std::vector<std::uint32_t> stops(losses.size(), 0);
  stops[static_cast<std::size_t>(rank())] = stop ? 1 : 0;
  const auto own = std::as_bytes(std::span(losses_));
  losses[static_cast<std::size_t>(rank())].assign(own.begin(), own.end());
  if (rank() == 0) {
    const auto all = std::as_writable_bytes(store_.upload_slot<float>(tensor::kNormIn, slot));
    constexpr std::size_t kPart = model::kNormBlocks * 2 * sizeof(float);
    for (int peer = 0; peer < ranks_.size(); ++peer) {
      const auto first = static_cast<std::size_t>(layout_.first_part[static_cast<std::size_t>(peer)]);
      const auto end = static_cast<std::size_t>(layout_.first_part[static_cast<std::size_t>(peer) + 1]);
      const auto theirs = all.subspan(first * kPart, (end - first) * kPart);
      if (peer == 0) {
        std::ranges::copy(partials, theirs.begin());
        continue;
      }
      const std::size_t count = order_ == SumOrder::kStep ? micro_steps_.of(peer).size() : std::size_t{1};
      losses[static_cast<std::size_t>(peer)].resize(count * sizeof(Loss));
      messages.push_back(Message::receive(peer, theirs));
      messages.push_back(Message::receive(peer, losses[static_cast<std::size_t>(peer)]));
      messages.push_back(Message::receive(
          peer, std::as_writable_bytes(std::span(&stops[static_cast<std::size_t>(peer)], 1))));
    }
  } else {
    messages.push_back(Message::send(0, partials));
    messages.push_back(Message::send(0, own));
    messages.push_back(
        Message::send(0, std::as_bytes(std::span(&stops[static_cast<std::size_t>(rank())], 1))));
  }
  ranks_.exchange(std::move(messages), "gradient norm");

  Decision decision{};
  if (rank() == 0) {
    const Loss total = total_loss(losses);
    const auto loss = store_.upload_slot<std::uint32_t>(tensor::kLossIn, slot);
    loss[0] = total.sum;
    loss[1] = total.count;
    std::ranges::copy(total.pairs, decision.pairs);
    hooks.run(segment::kDecide, slot);
    queue_.wait_idle();
    std::ranges::copy(store_.readback_slot<std::uint32_t>(tensor::kDecisionOut, slot).first(4),
                      decision.norm);
    std::ranges::copy(store_.readback_slot<float>(tensor::kStepResults, slot).first(8), decision.results);
    decision.stop = *std::ranges::max_element(stops);
  }
  comm::broadcast(ranks_, std::as_writable_bytes(std::span(&decision, 1)), "decision on the step");
  std::ranges::copy(decision.norm, store_.upload_slot<std::uint32_t>(tensor::kDecision, slot).begin());
  Result result{.results = model::step_results(decision.results), .stop = decision.stop != 0};
  if (on_pairs_) result.preference = model::preference_results(decision.pairs);
  return result;
}

/// In the order of micro-steps, or of ranks.
RankStep::Loss RankStep::total_loss(const std::vector<std::vector<std::byte>>& of_ranks) const {
  float sum = 0;
  std::uint32_t count = 0;
  std::array<float, 4> pairs{};
  const auto add = [&](int contributor, std::size_t index) {
    Loss loss;
    std::memcpy(&loss, of_ranks[static_cast<std::size_t>(contributor)].data() + index * sizeof(Loss),
                sizeof(Loss));
    sum += std::bit_cast<float>(loss.sum);
    count += loss.count;
    for (std::size_t i = 0; i < pairs.size(); ++i) pairs[i] += loss.pairs[i];
  };
  if (order_ == SumOrder::kRank) {
    for (int peer = 0; peer < ranks_.size(); ++peer) add(peer, 0);
  } else {
    std::vector<std::size_t> next(of_ranks.size(), 0);
    for (const std::vector<int>& wave : micro_steps_.waves) {
      for (const int peer : wave) add(peer, next[static_cast<std::size_t>(peer)]++);
    }
  }
  return {.sum = std::bit_cast<std::uint32_t>(sum), .count = count, .pairs = pairs};
}

/// What lies at the front of kWireOut on every rank, to kWireIn by place in the arena.
void RankStep::gather_shards(int slot, const char* what) {
  const model::ArenaRange mine = layout_.shards[static_cast<std::size_t>(rank())];
  const auto packed = outgoing(slot, 0, mine.count);
  std::ranges::copy(packed, incoming(slot, mine.first, mine.count).begin());
  std::vector<Message> messages;
  for (int peer = 0; peer < ranks_.size(); ++peer) {
    if (peer == rank()) continue;
    const model::ArenaRange theirs = layout_.shards[static_cast<std::size_t>(peer)];
    messages.push_back(
        Message::receive(peer, incoming(slot, theirs.first, theirs.count)).copied(store_.has_mapped_slots()));
    messages.push_back(Message::send(peer, packed).copied(store_.has_mapped_slots()));
  }
  ranks_.exchange(std::move(messages), what);
}

/// Every rank holds the same weights, bit for bit, whatever its device.
void RankStep::check_replicas() {
  if (ranks_.size() == 1) return;
  std::vector<std::byte> weights(static_cast<std::size_t>(layout_.elements) * sizeof(float));
  store_.download(tensor::kParams, weights);
  Sha256 hash;
  hash.update(weights);
  const std::vector<std::string> all = comm::all_gather_text(ranks_, hash.hex(), "checksum of weights");
  for (std::size_t peer = 1; peer < all.size(); ++peer) {
    if (all[peer] != all[0]) {
      fail("the weights of rank {} differ from those of rank 0: a device or a link gives wrong bits", peer);
    }
  }
}

std::span<std::byte> RankStep::incoming(int slot, std::int64_t first_word, std::int64_t words) {
  return store_.upload_slot<std::byte>(tensor::kWireIn, slot)
      .subspan(static_cast<std::size_t>(first_word) * kWord, static_cast<std::size_t>(words) * kWord);
}

std::span<const std::byte> RankStep::outgoing(int slot, std::int64_t first_word, std::int64_t words) const {
  return store_.readback_slot<std::byte>(tensor::kWireOut, slot)
      .subspan(static_cast<std::size_t>(first_word) * kWord, static_cast<std::size_t>(words) * kWord);
}

}  // namespace vkgpt::train
