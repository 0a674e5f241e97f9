#include "vkgpt/train/data_loader.hpp"

#include <algorithm>
#include <array>
#include <string_view>
#include <utility>

#include "vkgpt/core/check.hpp"
#include "vkgpt/core/error.hpp"
#include "vkgpt/core/rng.hpp"

namespace vkgpt::train {
namespace {

void check_length(std::string_view name, const TokenView& tokens, std::size_t T) {
  if (tokens.size() < T + 1) {
    fail_usage(
        "the {} split has {} tokens but a block of {} needs at least {}; use more text or a smaller "
        "--block_size",
        name, tokens.size(), T, T + 1);
  }
}

void check_shape(std::size_t T, std::span<std::int32_t> tokens, std::span<std::int32_t> targets) {
  VKGPT_CHECK(tokens.size() == targets.size() && tokens.size() % T == 0, "{} tokens, {} targets, T = {}",
              tokens.size(), targets.size(), T);
}

void fill_row(const TokenView& split, std::size_t start, std::size_t T, std::size_t row,
              std::span<std::int32_t> tokens, std::span<std::int32_t> targets) {
  split.copy(start, tokens.subspan(row * T, T));
  split.copy(start + 1, targets.subspan(row * T, T));
}

/// Row b of the batch is the crop that stream.index = b draws.
void fill_crops(const TokenView& split, std::size_t T, RngStream stream, std::span<std::int32_t> tokens,
                std::span<std::int32_t> targets) {
  check_shape(T, tokens, targets);
  for (std::size_t row = 0; row < tokens.size() / T; ++row) {
    stream.index = static_cast<std::uint32_t>(row);
    fill_row(split, RngReader(stream).below(split.size() - T), T, row, tokens, targets);
  }
}

/// A sequence without anything, or what is left of one.
void pad_row(std::size_t from, std::size_t row, std::size_t T, const BatchTarget& batch) {
  for (std::size_t t = from; t < T; ++t) {
    batch.tokens[row * T + t] = 0;
    batch.targets[row * T + t] = -1;
    if (batch.positions.empty()) continue;
    // Documents of one token each: attention to them costs next to nothing.
    batch.positions[row * T + t] = 0;
    batch.ends[row * T + t] = static_cast<std::int32_t>(t + 1);
  }
}

/// Each sequence is one document.
void whole_rows(std::size_t T, const BatchTarget& batch) {
  for (std::size_t i = 0; i < batch.positions.size(); ++i) {
    batch.positions[i] = static_cast<std::int32_t>(i % T);
    batch.ends[i] = static_cast<std::int32_t>(T);
  }
}

/// No pair yet.
void clear_pairs(const BatchTarget& batch) {
  std::ranges::fill(batch.pairs, 0);
  std::ranges::fill(batch.reference, 0.0F);
}

}  // namespace

DataLoader::DataLoader(TokenView train, TokenView validation, std::int64_t T, std::uint64_t seed,
                       DataOrder order)
    : train_(train), validation_(validation), T_(static_cast<std::size_t>(T)), seed_(seed), order_(order) {
  VKGPT_CHECK(T >= 1 && order.micro_steps >= 1, "T = {}, {} micro-steps", T, order.micro_steps);
  check_length("training", train_, T_);
  if (validation_.size() != 0) check_length("validation", validation_, T_);
}

DataLoader::DataLoader(const text::Corpus& corpus, const PackedSplits& packed, std::uint64_t seed,
                       DataOrder order)
    : train_(corpus.train()),
      validation_(corpus.validation()),
      T_(static_cast<std::size_t>(packed.windows[0].T())),
      seed_(seed),
      order_(order),
      corpus_(&corpus),
      packed_(&packed) {
  if (order_.order == BatchOrder::kRandom) order_.order = BatchOrder::kShuffled;
  if (packed.windows[0].size() == 0) fail("no document is left to train on");
}

DataLoader DataLoader::with_length(std::int64_t T) const {
  if (packed_ == nullptr) return {train_, validation_, T, seed_, order_};
  VKGPT_CHECK(static_cast<std::size_t>(T) == T_, "documents were packed into {} positions, not {}", T_, T);
  return *this;
}

bool DataLoader::has_validation() const {
  return packed_ != nullptr ? packed_->windows[1].size() > 0 : validation_.size() > 0;
}

std::size_t DataLoader::sample_window(std::uint64_t index) const {
  const std::uint64_t windows = packed_ != nullptr ? packed_->windows[0].size() : (train_.size() - 1) / T_;
  return window_of(order_.order, index, windows, seed_);
}

void DataLoader::fill_window(Split split, std::size_t window, std::size_t row,
                             const BatchTarget& batch) const {
  const std::size_t number = split == Split::kTrain ? 0 : 1;
  const TokenView& tokens = split == Split::kTrain ? train_ : validation_;
  const std::vector<bool>& counted = corpus_->documents(number).counted;
  std::size_t t = 0;
  for (const text::DocumentSpan& document : packed_->windows[number].window(window)) {
    const std::size_t count = document.tokens - 1, at = row * T_ + t;
    tokens.copy(document.begin, batch.tokens.subspan(at, count));
    tokens.copy(document.begin + 1, batch.targets.subspan(at, count));
    for (std::size_t i = 0; i < count; ++i) {
      if (packed_->replies_only && !counted[document.begin + 1 + i]) batch.targets[at + i] = -1;
      if (batch.positions.empty()) continue;
      batch.positions[at + i] = static_cast<std::int32_t>(i);
      batch.ends[at + i] = static_cast<std::int32_t>(t + count);
    }
    t += count;
  }
  pad_row(t, row, T_, batch);
  if (!batch.pairs.empty()) fill_pairs(split, window, row, batch);
}

void DataLoader::fill_pairs(Split split, std::size_t window, std::size_t row,
                            const BatchTarget& batch) const {
  const std::size_t number = split == Split::kTrain ? 0 : 1;
  const Packing& packing = packed_->windows[number];
  const PairScores& reference = (*reference_)[number];
  auto slot = static_cast<std::size_t>(packed_->pairs) * row;
  std::size_t pair = packing.first_document(window) / 2;
  auto at = static_cast<std::int32_t>(row * T_);
  const std::span<const text::DocumentSpan> documents = packing.window(window);
  for (std::size_t i = 0; i < documents.size(); i += 2, ++slot, ++pair) {
    const std::int32_t middle = at + static_cast<std::int32_t>(documents[i].tokens) - 1;
    const std::int32_t end = middle + static_cast<std::int32_t>(documents[i + 1].tokens) - 1;
    std::ranges::copy(std::array{at, middle, middle, end}, batch.pairs.subspan(4 * slot, 4).begin());
    if (!reference.empty()) std::ranges::copy(reference[pair], batch.reference.subspan(2 * slot, 2).begin());
    at = end;
  }
}

void DataLoader::fill_windows(Split split, std::size_t first, const BatchTarget& batch) const {
  check_shape(T_, batch.tokens, batch.targets);
  clear_pairs(batch);
  for (std::size_t row = 0; row < batch.tokens.size() / T_; ++row) {
    if (first + row < window_count(split)) {
      fill_window(split, first + row, row, batch);
    } else {
      pad_row(0, row, T_, batch);
    }
  }
}

void DataLoader::set_reference(Split split, PairScores scores) {
  VKGPT_CHECK(scores.size() == pairs_in(split, 0, window_count(split)), "{} pairs", scores.size());
  (*reference_)[split == Split::kTrain ? 0 : 1] = std::move(scores);
}

std::size_t DataLoader::pairs_in(Split split, std::size_t first, std::size_t count) const {
  const Packing& packing = packed_->windows[split == Split::kTrain ? 0 : 1];
  return (packing.first_document(first + count) - packing.first_document(first)) / 2;
}

void DataLoader::fill_train(std::uint64_t step, std::uint32_t micro_step, const BatchTarget& batch) const {
  VKGPT_CHECK(step <= UINT32_MAX, "step = {}", step);
  check_shape(T_, batch.tokens, batch.targets);
  clear_pairs(batch);
  if (order_.order == BatchOrder::kRandom) {
    const RngStream stream{.seed = seed_,
                           .purpose = RngPurpose::kTrainData,
                           .sub = micro_step,
                           .step = static_cast<std::uint32_t>(step)};
    whole_rows(T_, batch);
    return fill_crops(train_, T_, stream, batch.tokens, batch.targets);
  }
  if (packed_ == nullptr) whole_rows(T_, batch);
  const std::size_t B = batch.tokens.size() / T_;
  const std::uint64_t first = (step * static_cast<std::uint64_t>(order_.micro_steps) + micro_step) * B;
  for (std::size_t row = 0; row < B; ++row) {
    const std::size_t window = sample_window(first + row);
    if (packed_ != nullptr) {
      fill_window(Split::kTrain, window, row, batch);
    } else {
      fill_row(train_, window * T_, T_, row, batch.tokens, batch.targets);
    }
  }
}

void DataLoader::fill_eval(Split split, std::uint32_t index, const BatchTarget& batch) const {
  const bool train = split == Split::kTrain;
  VKGPT_CHECK(train || has_validation(), "no validation split");
  if (packed_ == nullptr) {
    const RngStream stream{
        .seed = seed_, .purpose = RngPurpose::kEvalData, .sub = train ? 1U : 0U, .step = index};
    whole_rows(T_, batch);
    return fill_crops(train ? train_ : validation_, T_, stream, batch.tokens, batch.targets);
  }
  check_shape(T_, batch.tokens, batch.targets);
  clear_pairs(batch);
  const std::size_t B = batch.tokens.size() / T_, windows = packed_->windows[train ? 0 : 1].size();
  for (std::size_t row = 0; row < B; ++row) {
    const std::size_t sample = index * B + row;
    if (sample >= windows) {
      pad_row(0, row, T_, batch);
    } else {
      fill_window(split, train ? sample_window(sample) : sample, row, batch);
    }
  }
}

std::int64_t DataLoader::step_tokens(std::uint64_t step, std::int64_t B) const {
  const std::int64_t samples = order_.micro_steps * B;
  if (packed_ == nullptr) return samples * static_cast<std::int64_t>(T_);
  std::int64_t sum = 0;
  for (std::int64_t i = 0; i < samples; ++i) {
    const std::uint64_t index = step * static_cast<std::uint64_t>(samples) + static_cast<std::uint64_t>(i);
    sum += packed_->windows[0].tokens(sample_window(index));
  }
  return sum;
}

}  // namespace vkgpt::train
