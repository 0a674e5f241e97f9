// What StepRunner does when several ranks take steps together.

#include <cmath>
#include <cstring>
#include <utility>

#include "vkgpt/comm/collectives.hpp"
#include "vkgpt/train/step_runner.hpp"

namespace vkgpt::train {

void StepRunner::run_rank_step(Stage& stage, std::int64_t step, double learning_rate, Mode mode) {
  const RankStep::Hooks hooks{
      .fill = [&](int slot,
                  std::int64_t micro_step) { fill_slot(stage, slot, step, micro_step, learning_rate); },
      .run = [&](const char* segment, int slot) { run_segment(stage, segment, slot, mode); },
      .micro_step = [&](int slot, bool sends) { return run_micro_step(stage, slot, sends, mode); },
      .wants_sums = mode == Mode::kStats};
  const RankStep::Result result = rank_step_->run(hooks, !keep_going_());
  stop_agreed_ = result.stop;
  outcomes_.push_back({step, result.results});
  if (mode == Mode::kReplay) return;
  if (mode == Mode::kStats) {
    run_segment(stage, model::segment::kGradStats, rank_step_->slot(), mode);
    read_stats(rank_step_->slot(), result.results.loss_scale);
  }
  drain();
}

/// Gives, for the buckets and after them the loss, the timeline values at which they are packed.
std::vector<std::uint64_t> StepRunner::run_micro_step(Stage& stage, int slot, bool sends, Mode mode) {
  if (mode == Mode::kStats || !sends) {
    run_segment(stage, model::segment::kMicroStep, slot, mode);
    if (!sends) return {};
    run_segment(stage, model::segment::kPack, slot, mode);
  } else {
    run_segment(stage, model::segment::kMicroStepSend, slot, mode);
  }
  std::vector<std::uint64_t> ready(rank_step_->layout().buckets.size() + 1, context_.queue().submitted());
  if (mode != Mode::kReplay) return ready;
  const std::vector<plan::Cut>& cuts = stage.executor.schedule().cuts_of(model::segment::kMicroStepSend);
  const std::vector<std::uint64_t>& values = stage.executor.cut_values(model::segment::kMicroStepSend);
  for (std::size_t i = 0; i < values.size(); ++i) ready[cuts[i].send] = values[i];
  return ready;
}

double StepRunner::evaluate_batch(Split split, std::int64_t batch, Weights weights) {
  const bool average = weights == Weights::kAverage;
  Stage& stage = stages_.back();
  const int slot = ring_.acquire();
  stage.loader.fill_eval(split, static_cast<std::uint32_t>(batch),
                         store_.upload_slot<std::int32_t>(model::tensor::kTokens, slot),
                         store_.upload_slot<std::int32_t>(model::tensor::kTargets, slot));
  for (const auto& [current, averaged] :
       {std::pair(model::segment::kEvalBegin, model::segment::kEmaEvalBegin),
        std::pair(model::segment::kEvalStep, model::segment::kEmaEvalStep),
        std::pair(model::segment::kEvalEnd, model::segment::kEmaEvalEnd)}) {
    stage.executor.submit(average ? averaged : current, slot);
  }
  ring_.submitted(context_.queue().submitted());
  context_.queue().wait_idle();
  return results(model::tensor::kEvalResults, slot).loss;
}

std::optional<double> StepRunner::evaluate_share(Split split, std::int64_t batches, Weights weights) {
  const int size = ranks_.size();
  std::vector<double> mine;  // at the end 1 where this rank wishes to stop
  bool stop = false;
  for (std::int64_t batch = ranks_.rank(); batch < batches + ranks_.rank(); batch += size) {
    stop = stop || !keep_going_();
    mine.push_back(stop || batch >= batches ? 0 : evaluate_batch(split, batch, weights));
  }
  mine.resize(static_cast<std::size_t>((batches + size - 1) / size));
  mine.push_back(stop ? 1 : 0);
  const auto all = comm::all_gather(ranks_, std::as_bytes(std::span(mine)), "losses of an evaluation");
  const auto value = [&](std::int64_t rank, std::int64_t index) {
    double number = 0;
    std::memcpy(&number, all[static_cast<std::size_t>(rank)].data() + index * sizeof(double), sizeof(double));
    return number;
  };
  double sum = 0;
  for (std::int64_t batch = 0; batch < batches; ++batch) sum += value(batch % size, batch / size);
  for (int rank = 0; rank < size; ++rank) {
    if (value(rank, std::ssize(mine) - 1) != 0) return std::nullopt;
  }
  return sum / static_cast<double>(batches);
}

}  // namespace vkgpt::train
