#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "vkgpt/comm/communicator.hpp"
#include "vkgpt/plan/plan.hpp"
#include "vkgpt/plan/tensor_store.hpp"

namespace vkgpt::train {

/// What a resumed run needs besides the parameters: the tensors of Role::kOptimizer. Files hold them whole;
/// of several ranks each has a part, in the order of ranks, or all.
class RankState {
 public:
  /// `own` is this rank's plan, `whole` that of a single rank. All ranks construct it together.
  RankState(comm::Communicator& ranks, plan::TensorStore& store, const plan::Plan& own,
            const plan::Plan& whole);

  /// With their whole shapes.
  const std::vector<plan::TensorInfo>& tensors() const { return tensors_; }

  /// On rank 0: the whole tensor. The other ranks are in `send`.
  void fetch(std::size_t index, std::span<std::byte> whole);
  /// On the other ranks: gives rank 0 all their parts.
  void send();
  /// On rank 0, when it fetches no more: takes what was not fetched.
  void finish();
  /// This rank's part of the whole.
  void put(std::size_t index, std::span<const std::byte> whole);

 private:
  std::uint64_t bytes(std::size_t index, int rank) const;
  /// Every rank has all of it.
  bool is_whole(std::size_t index) const;

  comm::Communicator& ranks_;
  plan::TensorStore& store_;
  std::vector<plan::TensorInfo> tensors_;
  std::vector<std::vector<std::uint64_t>> bytes_;  // by rank, by tensor
  std::vector<bool> fetched_;
};

/// The optimizer's tensors of a plan.
std::vector<plan::TensorInfo> optimizer_tensors(const plan::Plan& plan);

}  // namespace vkgpt::train
