#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <vector>

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
  std::span<std::int32_t> pairs = {};  ///< (pairs, 4), see ops::PreferenceLoss; empty where there are none
  std::span<float> reference = {};     ///< (pairs, 2), likewise
};

/// What the reference says of the pairs of a split, in the order of its windows: sums of log-probabilities of
/// the chosen and of the rejected.
using PairScores = std::vector<std::array<float, 2>>;

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

  /// Of pairs: windows from `first` on in their order; what is behind the last is empty.
  void fill_windows(Split split, std::size_t first, const BatchTarget& batch) const;
  std::size_t window_count(Split split) const {
    return packed_->windows[split == Split::kTrain ? 0 : 1].size();
  }
  /// Of pairs: gives this loader and all its copies what the reference says. Zero before.
  void set_reference(Split split, PairScores scores);
  /// Pairs that windows [first, first + count) hold.
  std::size_t pairs_in(Split split, std::size_t first, std::size_t count) const;

  /// Tokens that a step of B sequences a micro-step reads; what pads windows is none.
  std::int64_t step_tokens(std::uint64_t step, std::int64_t B) const;

 private:
  /// The window of sample `index` of the run.
  std::size_t sample_window(std::uint64_t index) const;
  void fill_window(Split split, std::size_t window, std::size_t row, const BatchTarget& batch) const;
  /// The pairs of a window and what the reference says of them.
  void fill_pairs(Split split, std::size_t window, std::size_t row, const BatchTarget& batch) const;

  TokenView train_;
  TokenView validation_;
  std::size_t T_;
  std::uint64_t seed_;
  DataOrder order_;
  const text::Corpus* corpus_ = nullptr;  // of documents
  const PackedSplits* packed_ = nullptr;  // likewise
  std::shared_ptr<std::array<PairScores, 2>> reference_ = std::make_shared<std::array<PairScores, 2>>();
};

}  // namespace vkgpt::train
