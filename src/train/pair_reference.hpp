#pragma once

#include <map>
#include <string>

#include "vkgpt/comm/communicator.hpp"
#include "vkgpt/core/file.hpp"
#include "vkgpt/model/gpt_config.hpp"
#include "vkgpt/train/data_loader.hpp"
#include "vkgpt/train/step_runner.hpp"
#include "vkgpt/train/train_config.hpp"
#include "vkgpt/vk/device_caps.hpp"

namespace vkgpt::train {

/// The file in a run's directory that keeps what the reference says of its pairs.
inline constexpr const char* kReferenceFile = "dpo_reference.json";

/// What the reference of a run on pairs follows from.
struct PairReference {
  Path directory;           ///< of the run
  Path model;               ///< the reference: what the run began with
  Path adapter;             ///< with these adapters; empty: none
  std::string data_sha256;  ///< of the pairs
  std::string settings;     ///< that change how pairs are cut or computed
};

std::string reference_settings(const TrainConfig& config, const model::GptConfig& model,
                               const vk::DeviceCaps& caps);

/// The reference's scores of the pairs of each split that `loader` has: those in kReferenceFile where it was
/// made from the same, else what `runner` gives, which is then written there. A run that goes on has other
/// weights: there a file that is missing or of something else is an `Error`. Of several ranks, which all call
/// it, rank 0 has the file and the last word.
std::map<Split, PairScores> pair_scores(const PairReference& reference, StepRunner& runner,
                                        const DataLoader& loader, bool goes_on,
                                        comm::Communicator* ranks = nullptr);

}  // namespace vkgpt::train
