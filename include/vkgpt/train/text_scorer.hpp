#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <span>
#include <vector>

#include "vkgpt/model/gpt_params.hpp"
#include "vkgpt/plan/executor.hpp"
#include "vkgpt/plan/tensor_store.hpp"
#include "vkgpt/text/task/multiple_choice.hpp"
#include "vkgpt/vk/context.hpp"

namespace vkgpt::train {

/// Log-likelihoods of parts of texts: texts share windows as documents, several windows make a batch.
class TextScorer {
 public:
  /// Everything is allocated here; `context` outlives the scorer. `arena` holds the parameters.
  TextScorer(vk::Context& context, const model::GptParams& params, std::int64_t batch_size,
             std::span<const float> arena);

  /// Tokens that a text may have.
  std::size_t longest() const { return T_ + 1; }

  /// For each text the sum of the log-probabilities (nats) of its tokens from `first_scored` on, each given
  /// those before it. Nothing where `keep_going` says no, which is asked at every batch.
  std::optional<std::vector<double>> log_likelihoods(std::span<const text::ScoredText> texts,
                                                     const std::function<bool()>& keep_going);

 private:
  /// A text's place in a batch.
  struct Place {
    std::size_t text;
    std::size_t at;  // of its first position in the batch
  };

  void begin_batch();
  bool add(std::span<const text::ScoredText> texts, std::size_t index);
  void run_batch(std::span<const text::ScoredText> texts, std::span<double> sums);

  vk::Context& context_;
  std::size_t B_;
  std::size_t T_;
  plan::TensorStore store_;
  plan::Executor executor_;
  plan::SlotRing ring_;
  int slot_ = 0;
  std::vector<std::size_t> used_;  // positions of each window
  std::vector<Place> places_;
};

}  // namespace vkgpt::train
