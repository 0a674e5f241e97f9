#include "vkgpt/train/rank_state.hpp"

#include <algorithm>
#include <cstring>
#include <utility>

#include "vkgpt/comm/collectives.hpp"
#include "vkgpt/core/check.hpp"

namespace vkgpt::train {

using comm::Message;

std::vector<plan::TensorInfo> optimizer_tensors(const plan::Plan& plan) {
  std::vector<plan::TensorInfo> tensors;
  for (std::size_t i = 0; i < plan.tensors.size(); ++i) {
    const plan::TensorInfo& info = plan.tensors[i];
    const bool is_view = info.root != plan::TensorId(i);
    if (!is_view && info.storage == plan::Storage::kPersistent && info.role == plan::Role::kOptimizer) {
      tensors.push_back(info);
    }
  }
  return tensors;
}

RankState::RankState(comm::Communicator& ranks, plan::TensorStore& store, const plan::Plan& own,
                     const plan::Plan& whole)
    : ranks_(ranks), store_(store), tensors_(optimizer_tensors(whole)), fetched_(tensors_.size(), false) {
  const std::vector<plan::TensorInfo> mine = optimizer_tensors(own);
  std::vector<std::uint64_t> sizes;
  for (const plan::TensorInfo& info : tensors_) {
    const auto found = std::ranges::find(mine, info.name, &plan::TensorInfo::name);
    sizes.push_back(found == mine.end() ? 0 : found->bytes());
  }
  for (const auto& all :
       comm::all_gather(ranks_, std::as_bytes(std::span(sizes)), "sizes of optimizer state")) {
    std::vector<std::uint64_t>& theirs = bytes_.emplace_back(sizes.size());
    std::memcpy(theirs.data(), all.data(), all.size());
  }
  for (std::size_t i = 0; i < tensors_.size(); ++i) {
    std::uint64_t sum = 0;
    for (int peer = 0; peer < ranks_.size(); ++peer) sum += bytes(i, peer);
    VKGPT_CHECK(is_whole(i) || sum == tensors_[i].bytes(), "{} bytes of {} on all ranks, {} in all", sum,
                tensors_[i].name, tensors_[i].bytes());
  }
}

std::uint64_t RankState::bytes(std::size_t index, int rank) const {
  return bytes_[static_cast<std::size_t>(rank)][index];
}

bool RankState::is_whole(std::size_t index) const {
  for (int peer = 0; peer < ranks_.size(); ++peer) {
    if (bytes(index, peer) != tensors_[index].bytes()) return false;
  }
  return true;
}

void RankState::fetch(std::size_t index, std::span<std::byte> whole) {
  const std::string& name = tensors_[index].name;
  const std::uint64_t own = bytes(index, 0);
  if (own > 0) store_.download(name, whole.first(own));
  if (is_whole(index)) return;
  std::vector<Message> messages;
  for (int peer = 1; peer < ranks_.size(); ++peer) {
    std::uint64_t first = 0;
    for (int before = 0; before < peer; ++before) first += bytes(index, before);
    if (bytes(index, peer) == 0) continue;
    messages.push_back(
        Message::receive(peer, whole.subspan(first, bytes(index, peer)), static_cast<int>(index) + 1));
  }
  ranks_.exchange(std::move(messages), name);
  fetched_[index] = true;
}

void RankState::send() {
  std::vector<std::vector<std::byte>> parts(tensors_.size());
  std::vector<Message> messages;
  for (std::size_t i = 0; i < tensors_.size(); ++i) {
    const std::uint64_t own = bytes(i, ranks_.rank());
    if (own == 0 || is_whole(i)) continue;
    parts[i].resize(own);
    store_.download(tensors_[i].name, parts[i]);
    messages.push_back(Message::send(0, parts[i], static_cast<int>(i) + 1));
  }
  ranks_.exchange(std::move(messages), "optimizer state", comm::Patience::kLong);
}

void RankState::finish() {
  std::vector<std::byte> unused;
  for (std::size_t i = 0; i < tensors_.size(); ++i) {
    if (!fetched_[i] && !is_whole(i)) {
      unused.resize(tensors_[i].bytes());
      fetch(i, unused);
    }
    fetched_[i] = false;
  }
}

void RankState::put(std::size_t index, std::span<const std::byte> whole) {
  std::uint64_t first = 0;
  for (int before = 0; before < ranks_.rank() && !is_whole(index); ++before) first += bytes(index, before);
  const std::uint64_t own = bytes(index, ranks_.rank());
  if (own > 0) store_.upload(tensors_[index].name, whole.subspan(first, own));
}

}  // namespace vkgpt::train
