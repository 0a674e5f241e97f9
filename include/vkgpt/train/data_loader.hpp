#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include "vkgpt/text/corpus/corpus.hpp"
#include "vkgpt/text/corpus/token_view.hpp"
#include "vkgpt/train/batch_order.hpp"
#include "vkgpt/train/packing.hpp"

namespace vkgpt::train {

using text::TokenView;

enum class Split { kTrain, kValidation };

/// Where a batch goes; each (B, T).
struct BatchTarget {
  std::span<std::int32_t> tokens;
  std::span<std::int32_t> targets;         ///< -1: not learned
  std::span<std::int32_t> positions = {};  ///< see ops::Documents; empty where nobody wants to know
  std::span<std::int32_t> ends = {};
};

/// Batches of windows of T tokens, in the order that `DataOrder` says. It has no state: what a batch holds
/// follows from the seed and the arguments alone, so that a resumed run reads on exactly, and evaluations
/// read the same text at different steps.
///
/// Of a long text, windows are stretches of T tokens, each with its targets one token later, and evaluations
/// are random crops in every order. Of documents they are those of `PackedSplits`, read once an epoch,
/// shuffled anew (but for `kSequential`); an evaluation of the validation split reads them in order, each
/// once, and then nothing.
class DataLoader {
 public:
  /// Throws `Error` when a split has fewer than T + 1 tokens. `validation` may be empty; it then has no
  /// batches.
  DataLoader(TokenView train, TokenView validation, std::int64_t T, std::uint64_t seed, DataOrder order = {});

  /// Documents. `packed` and `corpus` outlive the loader and its copies. Throws `Error` where there is
  /// nothing to train on.
  DataLoader(const text::Corpus& corpus, const PackedSplits& packed, std::uint64_t seed, DataOrder order);

  /// The same with another T.
  DataLoader with_length(std::int64_t T) const;

  /// Whether evaluations of the validation split have anything to read.
  bool has_validation() const;

  /// The batch of one micro-step of an optimizer step, from the training split.
  void fill_train(std::uint64_t step, std::uint32_t micro_step, const BatchTarget& batch) const;
  void fill_train(std::uint64_t step, std::uint32_t micro_step, std::span<std::int32_t> tokens,
                  std::span<std::int32_t> targets) const {
    fill_train(step, micro_step, BatchTarget{tokens, targets});
  }

  /// Batch `index` of an evaluation of `split`.
  void fill_eval(Split split, std::uint32_t index, const BatchTarget& batch) const;
  void fill_eval(Split split, std::uint32_t index, std::span<std::int32_t> tokens,
                 std::span<std::int32_t> targets) const {
    fill_eval(split, index, BatchTarget{tokens, targets});
  }

  /// Tokens that a step of B sequences a micro-step reads; what pads windows is none.
  std::int64_t step_tokens(std::uint64_t step, std::int64_t B) const;

 private:
  /// The window of sample `index` of the run.
  std::size_t sample_window(std::uint64_t index) const;
  void fill_window(Split split, std::size_t window, std::size_t row, const BatchTarget& batch) const;

  TokenView train_;
  TokenView validation_;
  std::size_t T_;
  std::uint64_t seed_;
  DataOrder order_;
  const text::Corpus* corpus_ = nullptr;  // of documents
  const PackedSplits* packed_ = nullptr;  // likewise
};

}  // namespace vkgpt::train
