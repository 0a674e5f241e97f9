#include "vkgpt/train/rank_cost.hpp"

#include <algorithm>
#include <string_view>
#include <vector>

#include "vkgpt/model/exchange_layout.hpp"
#include "vkgpt/train/outer_codec.hpp"
#include "vkgpt/train/plan_options.hpp"
#include "vkgpt/train/rank_balance.hpp"

namespace vkgpt::train {
namespace {

namespace segment = model::segment;

// What a device does in the time in which it moves a byte: between a CPU's 4 and an H100's 100.
constexpr double kOperationsPerByte = 16;
// Of a frame of 1,514 bytes, what TCP carries.
constexpr double kPayload = 0.956;
// Until the communication thread sees a message.
constexpr double kLookSeconds = 200e-6;

double work_of(const plan::Dispatch& dispatch) {
  return std::max(static_cast<double>(dispatch.cost.flops),
                  kOperationsPerByte * static_cast<double>(dispatch.cost.bytes));
}

/// Seconds of the segments of a plan, at so many for a unit of work.
class SegmentTimes {
 public:
  SegmentTimes(const plan::Schedule& schedule, double unit) : schedule_(schedule), unit_(unit) {}

  double of(std::string_view name) const {
    return up_to(name, schedule_.plan.segment(name).dispatches.size());
  }
  double up_to(std::string_view name, std::size_t dispatches) const {
    double work = 0;
    const plan::Segment& segment = schedule_.plan.segment(name);
    for (std::size_t i = 0; i < dispatches; ++i) work += work_of(segment.dispatches[i]);
    return unit_ * work;
  }

 private:
  const plan::Schedule& schedule_;
  double unit_;
};

/// When the lines of all ranks are free again.
class Lines {
 public:
  Lines(const model::ExchangeLayout& layout, const RankSpeed& speed)
      : layout_(layout),
        seconds_per_byte_(8 / (kPayload * speed.line_bits_per_second)),
        message_(speed.latency_seconds + kLookSeconds),
        in_(layout.shards.size(), 0),
        out_(in_.size(), 0) {}

  /// Bucket `bucket` of every rank of `contributors`, ready at `now`.
  void exchange(std::size_t bucket, double now, const std::vector<int>& contributors) {
    for (const model::ExchangePiece& piece : layout_.pieces) {
      if (piece.bucket != static_cast<std::int64_t>(bucket)) continue;
      for (const int peer : contributors) {
        if (peer != piece.owner)
          carry(peer, static_cast<int>(piece.owner), layout_.words(piece.range.count), now);
      }
    }
  }
  /// The weights of every shard to everyone.
  void gather(double now) {
    for (int owner = 0; owner < size(); ++owner) {
      for (int peer = 0; peer < size(); ++peer) {
        if (peer != owner) carry(owner, peer, layout_.shards[static_cast<std::size_t>(owner)].count, now);
      }
    }
  }
  /// When everything that was sent has arrived, not before `now`.
  double end(double now) const {
    if (size() == 1) return now;
    return std::max({now, *std::ranges::max_element(in_), *std::ranges::max_element(out_)}) + message_;
  }
  double message() const { return size() == 1 ? 0 : message_; }
  std::uint64_t sent_bytes() const { return sent_.empty() ? 0 : *std::ranges::max_element(sent_); }

 private:
  int size() const { return static_cast<int>(in_.size()); }
  void carry(int from, int to, std::int64_t words, double now) {
    const double seconds = seconds_per_byte_ * 4 * static_cast<double>(words);
    double& out = out_[static_cast<std::size_t>(from)];
    double& in = in_[static_cast<std::size_t>(to)];
    out = std::max(out, now) + seconds;
    in = std::max(in, now) + seconds;
    sent_.resize(in_.size(), 0);
    sent_[static_cast<std::size_t>(from)] += 4 * static_cast<std::uint64_t>(words);
  }

  const model::ExchangeLayout& layout_;
  double seconds_per_byte_;
  double message_;
  std::vector<double> in_;
  std::vector<double> out_;
  std::vector<std::uint64_t> sent_ = {};
};

/// A step in which the slowest rank takes part in every wave.
class StepModel {
 public:
  StepModel(const plan::Schedule& schedule, const model::ExchangeLayout& layout, const RankSpeed& speed,
            double unit)
      : schedule_(schedule), layout_(layout), times_(schedule, unit), lines_(layout, speed) {}

  /// Each rank its micro-steps in place, then one exchange.
  void run_in_place(const MicroStepPlan& micro_steps) {
    std::size_t most = 0;
    std::vector<int> all;
    for (int rank = 0; rank < static_cast<int>(layout_.size()); ++rank) {
      most = std::max(most, micro_steps.of(rank).size());
      all.push_back(rank);
    }
    const bool is_only = most == 1;
    if (!is_only) {
      compute(times_.of(segment::kFirstMicroStep) +
              static_cast<double>(most - 2) * times_.of(segment::kMicroStep));
    }
    send_wave(all, now_, is_only);
    fold();
  }

  /// An exchange for each wave, while the next one is computed.
  void run_waves(const MicroStepPlan& micro_steps) {
    double sent = 0;  // when the wave before was folded
    for (const std::vector<int>& wave : micro_steps.waves) {
      send_wave(wave, sent, true);
      sent = std::max(now_, arrived_) + times_.of(segment::kFold);
      compute(times_.of(segment::kFold));
    }
    now_ = std::max(now_, sent);
  }

  void finish() {
    compute(times_.of(segment::kNorm));
    now_ += lines_.message();
    compute(times_.of(segment::kDecide));
    now_ += lines_.message();
    compute(times_.of(segment::kShardUpdate));
    lines_.gather(now_);
    now_ = lines_.end(now_);
    compute(times_.of(segment::kSpread));
  }

  double seconds() const { return now_; }
  double compute_seconds() const { return compute_; }
  std::uint64_t sent_bytes() const { return lines_.sent_bytes(); }

 private:
  void compute(double seconds) {
    now_ += seconds;
    compute_ += seconds;
  }
  void fold() {
    now_ = std::max(now_, arrived_);
    compute(times_.of(segment::kFold));
  }
  /// A micro-step whose buckets leave as they are ready, but not before `free`.
  void send_wave(const std::vector<int>& contributors, double free, bool is_first) {
    const char* micro_step = segment::micro_step(is_first, true);
    for (const plan::Cut& cut : schedule_.cuts_of(micro_step)) {
      if (cut.send >= layout_.buckets.size()) continue;  // the loss
      const double ready = now_ + times_.up_to(micro_step, cut.end);
      lines_.exchange(cut.send, std::max(free, ready), contributors);
    }
    compute(times_.of(micro_step));
    arrived_ = lines_.end(now_);
  }

  const plan::Schedule& schedule_;
  const model::ExchangeLayout& layout_;
  SegmentTimes times_;
  Lines lines_;
  double now_ = 0;
  double compute_ = 0;
  double arrived_ = 0;
};

/// The mean step of a round that each worker takes alone.
RankCost round_step(RankCost cost, const plan::Schedule& alone, std::int64_t elements,
                    const TrainConfig& config, const RankSpeed& speed) {
  const double others = 1 - 1.0 / cost.ranks;
  const double bytes =
      others * static_cast<double>(outer_bytes(elements, static_cast<int>(config.outer_bits)) +
                                   outer_bytes(elements, 32));
  const auto steps = static_cast<double>(config.sync_every);
  const double messages = 2 * (speed.latency_seconds + kLookSeconds);
  const double exchange =
      cost.ranks == 1 ? 0 : 8 * bytes / (kPayload * speed.line_bits_per_second) + messages;
  cost.compute_seconds = cost.one_device_seconds / cost.ranks;
  cost.step_seconds = cost.compute_seconds + exchange / steps;
  cost.sent_bytes = static_cast<std::uint64_t>(bytes / steps);
  cost.memory_bytes = alone.memory.total_bytes();
  return cost;
}

}  // namespace

RankCost predict_step(const model::GptParams& params, const TrainConfig& config, const vk::Target& target,
                      int ranks, const RankSpeed& speed) {
  const MicroStepPlan micro_steps =
      plan_micro_steps(config.grad_accum_steps, parse_shares(config.balance, ranks));
  const std::int64_t T = params.config().block_size;
  const plan::Schedule alone = train_schedule(params, config, T, target);
  const SegmentTimes work(alone, 1);
  const double shortest = work.of(segment::kFirstMicroStep) + work.of(segment::kUpdate);
  const double unit = speed.micro_step_seconds / shortest;
  const std::int64_t more = config.grad_accum_steps - 1;
  const double further = more > 0 ? static_cast<double>(more) * work.of(segment::kMicroStep) : 0;
  RankCost cost{.ranks = ranks};
  cost.one_device_seconds = unit * (shortest + further);
  if (config.is_diloco()) return round_step(cost, alone, params.trainable_elements(), config, speed);
  model::RankOptions options = rank_options(config, 0, ranks);
  if (options.size == 0) {
    cost.step_seconds = cost.compute_seconds = cost.one_device_seconds;
    cost.memory_bytes = alone.memory.total_bytes();
    return cost;
  }
  const model::ExchangeLayout layout = model::exchange_layout(params, optimizer_kind(config), options);
  options.rank =
      std::ranges::max_element(layout.shards, {}, &model::ArenaRange::count) - layout.shards.begin();
  const plan::Schedule schedule = train_schedule(params, config, T, target, false, options);
  StepModel step(schedule, layout, speed, unit);
  if (config.sum_order == "step") {
    step.run_waves(micro_steps);
  } else {
    step.run_in_place(micro_steps);
  }
  step.finish();
  cost.step_seconds = step.seconds();
  cost.compute_seconds = step.compute_seconds();
  cost.sent_bytes = step.sent_bytes();
  cost.memory_bytes = schedule.memory.total_bytes();
  return cost;
}

}  // namespace vkgpt::train
