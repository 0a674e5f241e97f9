#pragma once

#include <cstdint>
#include <string_view>

namespace vkgpt::train {

/// The stretches of the training split that batches hold.
///
/// `kRandom` draws crops anywhere. The others read windows 0, T, 2T, ... of the split, each once an epoch,
/// from its beginning to its end or in an order that is shuffled anew every epoch. What follows the last
/// whole window (less than T + 1 tokens) is not read; a batch at the end of an epoch goes on with the next
/// one. Sample number (step * micro-steps + micro-step) * B + row decides, counted from step 0: after a
/// change of T (a curriculum's next stage) or of the batch size it goes on in the order of the new windows,
/// of which that first epoch then lacks or repeats some.
enum class BatchOrder { kRandom, kShuffled, kSequential };

struct DataOrder {
  BatchOrder order = BatchOrder::kRandom;
  std::int64_t micro_steps = 1;  ///< in an optimizer step
};

/// "random", "shuffled" or "sequential".
BatchOrder parse_batch_order(std::string_view name);

/// The window, of `windows` (at least 1), that sample `index` of the run reads; not for `kRandom`.
std::uint64_t window_of(BatchOrder order, std::uint64_t index, std::uint64_t windows, std::uint64_t seed);

/// Element `index` of a permutation of 0 to count - 1 that (seed, epoch) choose: a Feistel network on the
/// next power of four, walked until the result is below `count` (Black and Rogaway, "Ciphers with arbitrary
/// finite domains", 2002). Nothing is kept in memory.
std::uint64_t permuted(std::uint64_t index, std::uint64_t count, std::uint64_t seed, std::uint32_t epoch);

}  // namespace vkgpt::train
