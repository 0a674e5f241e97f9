// What StepRunner does when several ranks take steps together.

#include <algorithm>
#include <array>
#include <cmath>
#include <cstring>
#include <numeric>
#include <utility>

#include "vkgpt/comm/collectives.hpp"
#include "vkgpt/core/check.hpp"
#include "vkgpt/core/format.hpp"
#include "vkgpt/core/hash.hpp"
#include "vkgpt/core/log.hpp"
#include "vkgpt/train/step_runner.hpp"

namespace vkgpt::train {

void StepRunner::run_rank_step(Stage& stage, std::int64_t step, double learning_rate, Mode mode) {
  const RankStep::Hooks hooks{
      .fill = [&](int slot,
                  std::int64_t micro_step) { fill_slot(stage, slot, step, micro_step, learning_rate); },
      .run = [&](const char* segment, int slot) { run_segment(stage, segment, slot, mode); },
      .micro_step = [&](int slot, bool is_first,
                        bool sends) { return run_micro_step(stage, slot, is_first, sends, mode); },
      .wants_sums = mode == Mode::kStats};
  micro_step_ns_ = 0;
  const RankStep::Result result = rank_step_->run(hooks, !keep_going_());
  stop_agreed_ = result.stop;
  outcomes_.push_back({step, result.results, result.preference});
  if (mode == Mode::kReplay) return;
  if (config_.balance == "auto") follow_speed();
  if (mode == Mode::kStats) {
    run_segment(stage, model::segment::kGradStats, rank_step_->slot(), mode);
    read_stats(rank_step_->slot(), result.results);
  }
  drain();
}

/// Gives, for the buckets and after them the loss, the timeline values at which they are packed.
std::vector<std::uint64_t> StepRunner::run_micro_step(Stage& stage, int slot, bool is_first, bool sends,
                                                      Mode mode) {
  const std::size_t first = eager_times_.size();
  const bool merged = sends && mode != Mode::kStats;
  const char* segment = model::segment::micro_step(is_first, merged);
  run_segment(stage, segment, slot, mode);
  for (std::size_t i = first; i < eager_times_.size(); ++i) micro_step_ns_ += eager_times_[i].nanoseconds;
  if (!sends) return {};
  if (!merged) run_segment(stage, model::segment::kPack, slot, mode);
  if (mode == Mode::kReplay) return bucket_values(stage, segment);
  return std::vector<std::uint64_t>(rank_step_->layout().buckets.size() + 1, context_.queue().submitted());
}

std::vector<std::uint64_t> StepRunner::bucket_values(const Stage& stage, const char* segment) const {
  const std::vector<plan::Cut>& cuts = stage.executor.schedule().cuts_of(segment);
  const std::vector<std::uint64_t>& values = stage.executor.cut_values(segment);
  std::vector<std::uint64_t> ready(rank_step_->layout().buckets.size() + 1);
  VKGPT_CHECK(values.size() == ready.size(), "{} cuts for {} buckets", values.size(), ready.size() - 1);
  for (std::size_t i = 0; i < values.size(); ++i) ready[cuts[i].send] = values[i];
  return ready;
}

/// After an eager step, whose dispatches were timed: the network has no part in that.
void StepRunner::follow_speed() {
  const std::vector<std::int64_t> counts = rank_step_->micro_steps().counts(ranks_.size());
  const double own = micro_step_ns_ / static_cast<double>(counts[static_cast<std::size_t>(ranks_.rank())]);
  const std::vector<double> times = comm::all_gather_value(ranks_, own, "times of a micro-step");
  const std::vector<std::int64_t> better = balanced_counts(counts, times);
  if (better == counts) return;
  rank_step_->set_micro_steps(plan_of_counts(better));
  std::string text;
  for (std::size_t rank = 0; rank < better.size(); ++rank) {
    text += vkgpt::format("{}{} ({:.3g} ms each)", rank == 0 ? "" : ", ", better[rank], times[rank] / 1e6);
  }
  log_info("micro-steps of the ranks from now on: {}", text);
}

std::string StepRunner::model_sha256() const {
  constexpr std::int64_t kAtOnce = 16 << 20;
  Sha256 hash;
  std::vector<float> part;
  for (std::int64_t first = 0; first < arena_elements(); first += kAtOnce) {
    part.resize(static_cast<std::size_t>(std::min(kAtOnce, arena_elements() - first)));
    store_.download(model::tensor::kParams, std::as_writable_bytes(std::span(part)),
                    static_cast<std::uint64_t>(first) * sizeof(float));
    hash.update(std::as_bytes(std::span(part)));
  }
  return sha256(hash.hex() + base_sha256_);
}

std::vector<std::int64_t> StepRunner::shares() const {
  if (!rank_step_ || config_.balance != "auto") return {};
  return rank_step_->micro_steps().counts(ranks_.size());
}

void StepRunner::set_shares(std::span<const std::int64_t> shares) {
  const bool fits =
      rank_step_ && config_.balance == "auto" && std::ssize(shares) == ranks_.size() &&
      std::accumulate(shares.begin(), shares.end(), std::int64_t{0}) == config_.grad_accum_steps;
  if (fits) rank_step_->set_micro_steps(plan_of_counts(shares));
}

/// The sum of losses, how many they are, and of pairs the sums of their results.
StepRunner::BatchSums StepRunner::evaluate_batch(Split split, std::int64_t batch, Weights weights) {
  const bool average = weights == Weights::kAverage;
  Stage& stage = stages_.back();
  const int slot = ring_.acquire();
  stage.loader.fill_eval(split, static_cast<std::uint32_t>(batch), batch_target(stage, slot));
  for (const auto& [current, averaged] :
       {std::pair(model::segment::kEvalBegin, model::segment::kEmaEvalBegin),
        std::pair(model::segment::kEvalStep, model::segment::kEmaEvalStep),
        std::pair(model::segment::kEvalEnd, model::segment::kEmaEvalEnd)}) {
    stage.executor.submit(average ? averaged : current, slot);
  }
  ring_.submitted(context_.queue().submitted());
  context_.queue().wait_idle();
  const model::StepResults found = results(model::tensor::kEvalResults, slot);
  BatchSums sums{double{found.loss} * found.counted, found.counted};
  if (config_.is_dpo()) {
    std::ranges::copy(store_.readback_slot<float>(model::tensor::kEvalPreferenceResults, slot).first(4),
                      sums.begin() + 2);
  }
  return sums;
}

std::optional<double> StepRunner::evaluate_share(Split split, std::int64_t batches, Weights weights) {
  const int size = ranks_.size();
  constexpr std::int64_t kWidth = std::tuple_size_v<BatchSums>;
  std::vector<double> mine;  // of its batches, at the end 1 where this rank wishes to stop
  bool stop = false;
  for (std::int64_t batch = ranks_.rank(); batch < batches + ranks_.rank(); batch += size) {
    stop = stop || !keep_going_();
    BatchSums sums{};
    if (!stop && batch < batches) sums = evaluate_batch(split, batch, weights);
    mine.insert(mine.end(), sums.begin(), sums.end());
  }
  mine.resize(static_cast<std::size_t>(kWidth * ((batches + size - 1) / size)));
  mine.push_back(stop ? 1 : 0);
  const auto all = comm::all_gather(ranks_, std::as_bytes(std::span(mine)), "losses of an evaluation");
  const auto value = [&](std::int64_t rank, std::int64_t index) {
    double number = 0;
    std::memcpy(&number, all[static_cast<std::size_t>(rank)].data() + index * sizeof(double), sizeof(double));
    return number;
  };
  BatchSums sums{};
  for (std::int64_t batch = 0; batch < batches; ++batch) {
    for (std::int64_t i = 0; i < kWidth; ++i) {
      sums[static_cast<std::size_t>(i)] += value(batch % size, kWidth * (batch / size) + i);
    }
  }
  for (int rank = 0; rank < size; ++rank) {
    if (value(rank, std::ssize(mine) - 1) != 0) return std::nullopt;
  }
  if (config_.is_dpo()) {
    std::array<float, 4> pairs;
    std::ranges::transform(std::span(sums).last<4>(), pairs.begin(),
                           [](double v) { return static_cast<float>(v); });
    evaluated_ = model::preference_results(pairs);
  }
  return sums[0] / std::max(sums[1], 1.0);
}

}  // namespace vkgpt::train
