#pragma once

#include <array>
#include <cstdint>
#include <functional>
#include <optional>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "vkgpt/comm/communicator.hpp"
#include "vkgpt/model/exchange_layout.hpp"
#include "vkgpt/model/preference.hpp"
#include "vkgpt/plan/tensor_store.hpp"
#include "vkgpt/train/rank_balance.hpp"
#include "vkgpt/vk/queue.hpp"

namespace vkgpt::train {

/// In which order the micro-steps of a step are summed.
enum class SumOrder {
  kRank,  // each rank its own in place, then rank by rank: one exchange
  kStep,  // each from zero, then micro-step by micro-step: the same bits for any number of ranks
};

/// Takes a step together with other ranks: packed gradients leave as they are ready, each rank sums its shard
/// and updates it, weights come back.
class RankStep {
 public:
  /// How the owner runs segments. `fill` puts a micro-step's batch and parameters into a slot; `run` submits
  /// a segment; `micro_step` submits one, the sum's first or not, and gives the timeline value at which each
  /// bucket is packed.
  struct Hooks {
    std::function<void(int slot, std::int64_t micro_step)> fill;
    std::function<void(const char* segment, int slot)> run;
    std::function<std::vector<std::uint64_t>(int slot, bool is_first, bool sends)> micro_step;
    bool wants_sums = false;  // kGrads shall hold the step's gradient of every parameter
  };
  struct Result {
    model::StepResults results;
    bool stop = false;                                        // a rank wants to end: the same on all
    std::optional<model::PreferenceResults> preference = {};  // where the objective is of pairs
  };

  RankStep(comm::Communicator& ranks, plan::TensorStore& store, vk::Queue& queue,
           model::ExchangeLayout layout, MicroStepPlan micro_steps, SumOrder order, bool on_pairs = false);

  const MicroStepPlan& micro_steps() const { return micro_steps_; }
  /// From the next step on; the same on all ranks.
  void set_micro_steps(MicroStepPlan plan) { micro_steps_ = std::move(plan); }
  comm::Communicator& ranks() { return ranks_; }
  const model::ExchangeLayout& layout() const { return layout_; }

  /// The slot of the last submission.
  int slot() const { return slot_; }

  /// The whole step; `stop` is this rank's wish. The last submission, kSpread, may still be running.
  Result run(const Hooks& hooks, bool stop);

 private:
  /// A wave on its way.
  struct Wave {
    int slot = 0;
    std::vector<int> contributors;
    std::vector<std::uint64_t> ready;  // by bucket; empty where this rank sends nothing
    comm::Communicator::Ticket incoming = 0;
  };
  /// What a rank tells rank 0 of its loss, by micro-step or in all.
  struct Loss {
    std::uint32_t sum = 0;  // bits of an f32
    std::uint32_t count = 0;
    std::array<float, 4> pairs{};  // sums of kPreferenceResults
  };

  int take_slot();
  void run_waves(const Hooks& hooks);
  void run_in_place(const Hooks& hooks);
  Wave begin_wave(std::vector<int> contributors, std::vector<std::uint64_t> ready, int slot);
  void finish_wave(const Hooks& hooks, const Wave& wave, bool is_first);
  void send_buckets(const Wave& wave);
  void note_loss(int slot);
  Result decide(const Hooks& hooks, int slot, bool stop);
  Loss total_loss(const std::vector<std::vector<std::byte>>& of_ranks) const;
  void gather_shards(int slot, const char* what);
  void check_replicas();

  std::span<std::byte> incoming(int slot, std::int64_t first_word, std::int64_t words);
  std::span<const std::byte> outgoing(int slot, std::int64_t first_word, std::int64_t words) const;
  int rank() const { return ranks_.rank(); }

  comm::Communicator& ranks_;
  plan::TensorStore& store_;
  vk::Queue& queue_;
  model::ExchangeLayout layout_;
  MicroStepPlan micro_steps_;
  SumOrder order_;
  bool on_pairs_;
  std::array<std::uint64_t, plan::kSlotCount> busy_{};  // timeline values up to which the slots are in use
  int slot_ = 0;
  std::vector<Loss> losses_;  // of this rank in this step
  std::int64_t steps_ = 0;
};

}  // namespace vkgpt::train
