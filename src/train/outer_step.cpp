#include "vkgpt/train/outer_step.hpp"

#include <algorithm>
#include <utility>

#include "vkgpt/model/train_step.hpp"
#include "vkgpt/train/outer_codec.hpp"

namespace vkgpt::train {
namespace {

using comm::Message;

constexpr std::int64_t kManyRounds = 100;
constexpr double kMomentumOfMany = 0.9;
constexpr double kMomentumOfFew = 0.5;

}  // namespace

OuterOptions outer_options(const TrainConfig& config) {
  const std::int64_t rounds = config.max_steps / config.sync_every;
  const double by_rounds = rounds >= kManyRounds ? kMomentumOfMany : kMomentumOfFew;
  return {.learning_rate = config.outer_lr,
          .momentum = config.outer_momentum < 0 ? by_rounds : config.outer_momentum,
          .bits = static_cast<int>(config.outer_bits)};
}

OuterStep::OuterStep(comm::Communicator& ranks, plan::TensorStore& store, std::int64_t elements,
                     const OuterOptions& options)
    : ranks_(ranks),
      store_(store),
      options_(options),
      base_(static_cast<std::size_t>(elements)),
      momentum_(base_.size(), 0),
      incoming_(static_cast<std::size_t>(ranks.size())) {}

void OuterStep::begin() {
  store_.download(model::tensor::kParams, std::as_writable_bytes(std::span(base_)));
}

void OuterStep::run() {
  {
    std::vector<float> weights(base_.size());
    store_.download(model::tensor::kParams, std::as_writable_bytes(std::span(weights)));
    exchange(weights);
  }
  update();
  gather();
  store_.upload(model::tensor::kParams, std::as_bytes(std::span(base_)));
}

OuterStep::Shard OuterStep::shard(int rank) const {
  const auto size = static_cast<std::size_t>(ranks_.size());
  const std::size_t blocks = (base_.size() + kOuterBlock - 1) / kOuterBlock;
  const auto edge = [&](std::size_t of) { return std::min(base_.size(), blocks * of / size * kOuterBlock); };
  const auto of = static_cast<std::size_t>(rank);
  return {.first = edge(of), .count = edge(of + 1) - edge(of)};
}

/// In 32 bits the weights themselves travel, from which the owner takes the difference: a mean of equal
/// weights is these weights, bit for bit.
void OuterStep::exchange(std::span<const float> weights) {
  const int own = ranks_.rank();
  const auto mine = static_cast<std::int64_t>(shard(own).count);
  std::vector<std::vector<std::byte>> outgoing(incoming_.size());
  std::vector<Message> messages;
  std::vector<float> difference;
  for (int peer = 0; peer < ranks_.size(); ++peer) {
    const Shard theirs = shard(peer);
    const auto part = weights.subspan(theirs.first, theirs.count);
    difference.assign(part.begin(), part.end());
    for (std::size_t i = 0; i < part.size() && options_.bits != 32; ++i) {
      difference[i] = base_[theirs.first + i] - part[i];
    }
    std::vector<std::byte>& bytes = outgoing[static_cast<std::size_t>(peer)];
    bytes.resize(static_cast<std::size_t>(outer_bytes(std::ssize(part), options_.bits)));
    outer_encode(difference, options_.bits, bytes);
    std::vector<std::byte>& from = incoming_[static_cast<std::size_t>(peer)];
    if (peer == own) {
      from = std::move(bytes);
      continue;
    }
    from.resize(static_cast<std::size_t>(outer_bytes(mine, options_.bits)));
    if (!bytes.empty()) messages.push_back(Message::send(peer, bytes));
    if (!from.empty()) messages.push_back(Message::receive(peer, from));
  }
  // Another worker's round may take longer.
  ranks_.exchange(std::move(messages), "weights of a round", comm::Patience::kLong);
}

/// v = mu v + g, w = w - lr (g + mu v), with g the mean difference.
void OuterStep::update() {
  const Shard mine = shard(ranks_.rank());
  std::vector<double> sums(mine.count, 0);
  for (const std::vector<std::byte>& bytes : incoming_) outer_add(bytes, options_.bits, sums);
  const auto workers = static_cast<double>(ranks_.size());
  const double lr = options_.learning_rate;
  for (std::size_t i = 0; i < mine.count; ++i) {
    const auto before = static_cast<double>(base_[mine.first + i]);
    const double mean = sums[i] / workers;
    const double moved = options_.bits == 32 ? mean : before - mean;  // mean weight
    float& momentum = momentum_[mine.first + i];
    momentum = static_cast<float>(options_.momentum * static_cast<double>(momentum) + (before - moved));
    base_[mine.first + i] = static_cast<float>((1 - lr) * before + lr * moved -
                                               lr * options_.momentum * static_cast<double>(momentum));
  }
}

void OuterStep::gather() {
  const Shard mine = shard(ranks_.rank());
  const auto bytes_of = [&](Shard part) {
    return std::as_writable_bytes(std::span(base_).subspan(part.first, part.count));
  };
  std::vector<Message> messages;
  for (int peer = 0; peer < ranks_.size(); ++peer) {
    if (peer == ranks_.rank()) continue;
    if (shard(peer).count > 0) messages.push_back(Message::receive(peer, bytes_of(shard(peer))));
    if (mine.count > 0) messages.push_back(Message::send(peer, bytes_of(mine)));
  }
  ranks_.exchange(std::move(messages), "weights after a round");
}

}  // namespace vkgpt::train
