#include "vkgpt/train/data_loader.hpp"

#include <algorithm>
#include <string_view>

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

}  // namespace

DataLoader::DataLoader(TokenView train, TokenView validation, std::int64_t T, std::uint64_t seed,
                       DataOrder order)
    : train_(train), validation_(validation), T_(static_cast<std::size_t>(T)), seed_(seed), order_(order) {
  VKGPT_CHECK(T >= 1 && order.micro_steps >= 1, "T = {}, {} micro-steps", T, order.micro_steps);
  check_length("training", train_, T_);
  if (validation_.size() != 0) check_length("validation", validation_, T_);
}

void DataLoader::fill_train(std::uint64_t step, std::uint32_t micro_step, std::span<std::int32_t> tokens,
                            std::span<std::int32_t> targets) const {
  VKGPT_CHECK(step <= UINT32_MAX, "step = {}", step);
  if (order_.order != BatchOrder::kRandom) {
    check_shape(T_, tokens, targets);
    const std::size_t B = tokens.size() / T_;
    const std::uint64_t first = (step * static_cast<std::uint64_t>(order_.micro_steps) + micro_step) * B;
    for (std::size_t row = 0; row < B; ++row) {
      const std::uint64_t window = window_of(order_.order, first + row, (train_.size() - 1) / T_, seed_);
      fill_row(train_, window * T_, T_, row, tokens, targets);
    }
    return;
  }
  const RngStream stream{.seed = seed_,
                         .purpose = RngPurpose::kTrainData,
                         .sub = micro_step,
                         .step = static_cast<std::uint32_t>(step)};
  fill_crops(train_, T_, stream, tokens, targets);
}

void DataLoader::fill_eval(Split split, std::uint32_t index, std::span<std::int32_t> tokens,
                           std::span<std::int32_t> targets) const {
  const bool train = split == Split::kTrain;
  VKGPT_CHECK(train || validation_.size() != 0, "no validation split");
  const RngStream stream{
      .seed = seed_, .purpose = RngPurpose::kEvalData, .sub = train ? 1U : 0U, .step = index};
  fill_crops(train ? train_ : validation_, T_, stream, tokens, targets);
}

}  // namespace vkgpt::train
