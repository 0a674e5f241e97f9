#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "vkgpt/comm/communicator.hpp"
#include "vkgpt/plan/tensor_store.hpp"
#include "vkgpt/train/train_config.hpp"

namespace vkgpt::train {

/// How workers that train apart for a round are brought together.
struct OuterOptions {
  double learning_rate = 0.7;
  double momentum = 0.9;
  int bits = 32;  // of a weight difference on the wire: 32, 8 or 4
};

/// Those of a configuration. Momentum without a number follows the rounds of the run: with few of them 0.9
/// does not get going.
OuterOptions outer_options(const TrainConfig& config);

/// DiLoCo's outer step (Douillard et al. 2023, arXiv:2311.08105): each worker sends how far its weights went
/// in the round; the owner of a shard averages over the workers and takes a step of SGD with Nesterov's
/// momentum along the mean; all workers go on from the same weights. On the host, in double precision and in
/// the order of ranks.
class OuterStep {
 public:
  /// `elements` of the parameters in `store` are trained.
  OuterStep(comm::Communicator& ranks, plan::TensorStore& store, std::int64_t elements,
            const OuterOptions& options);

  /// The weights in the store, the same on all ranks, are where a round begins.
  void begin();
  /// Ends a round and begins the next; all ranks together.
  void run();

  comm::Communicator& ranks() { return ranks_; }
  /// Momentum, one for each trained element; a rank uses and keeps those of `shard`.
  std::span<float> momentum() { return momentum_; }
  struct Shard {
    std::size_t first = 0;
    std::size_t count = 0;
  };
  /// What a rank averages: whole blocks of `kOuterBlock`.
  Shard shard(int rank) const;

 private:
  void exchange(std::span<const float> weights);
  void update();
  void gather();

  comm::Communicator& ranks_;
  plan::TensorStore& store_;
  OuterOptions options_;
  std::vector<float> base_;                       // weights at the beginning of the round
  std::vector<float> momentum_;                   // of the outer step
  std::vector<std::vector<std::byte>> incoming_;  // of this rank's shard, by rank
};

}  // namespace vkgpt::train
