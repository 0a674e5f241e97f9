#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <span>

#include "vkgpt/model/gpt_params.hpp"
#include "vkgpt/plan/executor.hpp"
#include "vkgpt/plan/tensor_store.hpp"
#include "vkgpt/train/data_loader.hpp"
#include "vkgpt/vk/context.hpp"

namespace vkgpt::train {

/// Cross-entropy of a model on a text.
struct Evaluation {
  std::uint64_t predicted = 0;  // tokens
  double nats = 0;              // of all of them together

  double loss() const { return nats / static_cast<double>(predicted); }  // nats per token
  double perplexity() const;
  /// `bytes` is the length of the predicted tokens' text.
  double bits_per_byte(std::uint64_t bytes) const;
};

/// Runs a model over whole texts: the evaluation segments of the train plan, two submissions in flight.
class Evaluator {
 public:
  /// Everything is allocated here; `context` outlives the evaluator. `arena` holds the parameters.
  Evaluator(vk::Context& context, const model::GptParams& params, std::int64_t batch_size,
            std::span<const float> arena);

  /// Consecutive windows of T tokens, each predicted without what stands before it; the first token of the
  /// text is not predicted. Nothing when `keep_going` says no, which is asked at every batch. Throws `Error`
  /// for fewer than two tokens.
  std::optional<Evaluation> evaluate(TokenView tokens, const std::function<bool()>& keep_going);

 private:
  void fill(int slot, TokenView tokens, std::size_t first_window);
  void collect(int slot, Evaluation& sum);

  vk::Context& context_;
  std::size_t B_;
  std::size_t T_;
  plan::TensorStore store_;
  plan::Executor executor_;
  plan::SlotRing ring_;
  std::uint64_t pending_[plan::kSlotCount] = {};  // tokens whose loss a slot will hold
};

}  // namespace vkgpt::train
