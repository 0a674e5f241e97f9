#include "vkgpt/core/check.hpp"
#include "vkgpt/train/step_runner.hpp"

namespace vkgpt::train {

void StepRunner::add_pairs(BatchTarget& batch, int slot) {
  if (!config_.is_dpo()) return;
  batch.pairs = store_.upload_slot<std::int32_t>(model::tensor::kPairs, slot);
  batch.reference = store_.upload_slot<float>(model::tensor::kPairReference, slot);
}

std::optional<model::PreferenceResults> StepRunner::preference(const char* tensor, int slot) const {
  if (!config_.is_dpo()) return std::nullopt;
  return model::preference_results(store_.readback_slot<float>(tensor, slot));
}

std::optional<PairScores> StepRunner::score_pairs(Split split) {
  drain();
  Stage& stage = stages_.back();
  const auto B = static_cast<std::size_t>(config_.batch_size);
  const auto most = static_cast<std::size_t>(pairs_per_window(stage.T));
  PairScores scores;
  for (std::size_t first = 0; first < stage.loader.window_count(split); first += B) {
    if (!keep_going_()) return std::nullopt;
    const int slot = ring_.acquire();
    stage.loader.fill_windows(split, first, batch_target(stage, slot));
    for (const char* segment :
         {model::segment::kEvalBegin, model::segment::kEvalStep, model::segment::kEvalEnd}) {
      stage.executor.submit(segment, slot);
    }
    ring_.submitted(context_.queue().submitted());
    context_.queue().wait_idle();
    const auto found = store_.readback_slot<float>(model::tensor::kPairScores, slot);
    for (std::size_t row = 0; row < B && first + row < stage.loader.window_count(split); ++row) {
      const std::size_t pairs = stage.loader.pairs_in(split, first + row, 1);
      for (std::size_t pair = row * most; pair < row * most + pairs; ++pair) {
        scores.push_back({found[2 * pair], found[2 * pair + 1]});
      }
    }
  }
  VKGPT_CHECK(scores.size() == stage.loader.pairs_in(split, 0, stage.loader.window_count(split)));
  return scores;
}

}  // namespace vkgpt::train
