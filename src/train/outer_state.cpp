#include "train/outer_state.hpp"

#include <algorithm>
#include <filesystem>
#include <string>
#include <system_error>
#include <utility>
#include <vector>

#include "vkgpt/core/error.hpp"
#include "vkgpt/core/format.hpp"
#include "vkgpt/core/log.hpp"
#include "vkgpt/model/safetensors.hpp"

namespace vkgpt::train {
namespace {

using comm::Message;
using Bytes = std::vector<std::byte>;

constexpr const char* kMomentum = "outer_momentum";

std::string worker_tensor(int rank, const std::string& name) {
  return vkgpt::format("worker_{}.{}", rank, name);
}

std::span<std::byte> shard_bytes(OuterStep& outer, int rank) {
  const OuterStep::Shard shard = outer.shard(rank);
  return std::as_writable_bytes(outer.momentum().subspan(shard.first, shard.count));
}

}  // namespace

OuterState gather_outer_state(StepRunner& runner, OuterStep& outer) {
  comm::Communicator& ranks = outer.ranks();
  const std::vector<plan::TensorInfo>& infos = runner.state().tensors();
  OuterState state;
  std::vector<Message> messages;
  std::vector<Bytes> own(ranks.rank() == 0 ? 0 : infos.size());
  for (int peer = 1; peer < ranks.size() && ranks.rank() == 0; ++peer) {
    for (const plan::TensorInfo& info : infos) {
      state.workers.push_back(
          {{worker_tensor(peer, info.name), info.dtype, info.shape}, Bytes(info.bytes())});
    }
  }
  for (std::size_t i = 0; i < state.workers.size(); ++i) {
    const auto peer = static_cast<int>(1 + i / infos.size());
    const auto tag = static_cast<int>(1 + i % infos.size());
    messages.push_back(Message::receive(peer, state.workers[i].bytes, tag));
  }
  for (int peer = 1; peer < ranks.size() && ranks.rank() == 0; ++peer) {
    if (outer.shard(peer).count > 0) messages.push_back(Message::receive(peer, shard_bytes(outer, peer)));
  }
  for (std::size_t i = 0; i < own.size(); ++i) {
    own[i].resize(infos[i].bytes());
    runner.store().download(infos[i].name, own[i]);
    messages.push_back(Message::send(0, own[i], static_cast<int>(i) + 1));
  }
  const auto momentum = shard_bytes(outer, ranks.rank());
  if (ranks.rank() != 0 && !momentum.empty()) messages.push_back(Message::send(0, momentum));
  ranks.exchange(std::move(messages), "state of the workers", comm::Patience::kLong);
  state.momentum.assign(outer.momentum().begin(), outer.momentum().end());
  return state;
}

void write_outer_state(CheckpointWriter& out, const OuterState& state) {
  std::vector<model::SafetensorsTensor> tensors = {
      {kMomentum, DType::kF32, Shape{std::ssize(state.momentum)}}};
  for (const OuterState::Tensor& tensor : state.workers) tensors.push_back(tensor.info);
  out.write(kOuterFile, [&](OutputFile& file) {
    model::write_safetensors(file, std::move(tensors),
                             [&](const model::SafetensorsTensor& tensor, const model::SafetensorsSink& sink) {
                               if (tensor.name == kMomentum)
                                 return sink(std::as_bytes(std::span(state.momentum)));
                               const auto is_it = [&](const OuterState::Tensor& one) {
                                 return one.info.name == tensor.name;
                               };
                               sink(std::ranges::find_if(state.workers, is_it)->bytes);
                             });
  });
}

void read_outer_state(const Path& checkpoint, StepRunner& runner, OuterStep& outer) {
  const int rank = outer.ranks().rank();
  std::error_code error;
  if (!std::filesystem::exists(checkpoint / kOuterFile, error)) {
    log_info("{} was not trained by workers apart: their outer momentum begins at zero", checkpoint.string());
    return;
  }
  const model::SafetensorsFile file(checkpoint / kOuterFile);
  file.read(file.expect(kMomentum, Shape{std::ssize(outer.momentum())}), outer.momentum());
  if (rank == 0) return;
  Bytes bytes;
  for (const plan::TensorInfo& info : runner.state().tensors()) {
    const model::SafetensorsEntry* entry = file.find(worker_tensor(rank, info.name));
    if (entry == nullptr) return;
    if (entry->shape != info.shape || entry->size_bytes() != info.bytes()) {
      fail("{}: '{}' has another shape than this run's", file.path().string(), entry->name);
    }
    bytes.resize(info.bytes());
    file.read(*entry, std::span(bytes));
    runner.store().upload(info.name, bytes);
  }
}

}  // namespace vkgpt::train
