#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include "vkgpt/text/corpus/token_view.hpp"
#include "vkgpt/train/batch_order.hpp"

namespace vkgpt::train {

using text::TokenView;

enum class Split { kTrain, kValidation };

/// Stretches of T tokens, each with its targets one token later, in the order that `DataOrder` says. It has
/// no state: what a batch holds follows from the seed and the arguments alone, so that a resumed run reads on
/// exactly, and evaluations, which are random crops in every order, read the same text at different steps.
class DataLoader {
 public:
  /// Throws `Error` when a split has fewer than T + 1 tokens. `validation` may be empty; it then has no
  /// batches.
  DataLoader(TokenView train, TokenView validation, std::int64_t T, std::uint64_t seed, DataOrder order = {});

  /// The same with another T.
  DataLoader with_length(std::int64_t T) const { return {train_, validation_, T, seed_, order_}; }

  /// The batch of one micro-step of an optimizer step, from the training split.
  /// tokens, targets: (B, T) with B = tokens.size() / T.
  void fill_train(std::uint64_t step, std::uint32_t micro_step, std::span<std::int32_t> tokens,
                  std::span<std::int32_t> targets) const;

  /// Batch `index` of an evaluation of `split`. tokens, targets: (B, T).
  void fill_eval(Split split, std::uint32_t index, std::span<std::int32_t> tokens,
                 std::span<std::int32_t> targets) const;

 private:
  TokenView train_;
  TokenView validation_;
  std::size_t T_;
  std::uint64_t seed_;
  DataOrder order_;
};

}  // namespace vkgpt::train
