#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "vkgpt/comm/communicator.hpp"
#include "vkgpt/core/config_field.hpp"
#include "vkgpt/model/gpt_config.hpp"
#include "vkgpt/train/run_setup.hpp"
#include "vkgpt/train/train_config.hpp"
#include "vkgpt/vk/context.hpp"

#include "cli/run_options.hpp"

namespace vkgpt::cli {

/// On how many devices `train` runs.
struct RankSettings {
  std::string devices;
  std::int64_t nproc_per_node = 1;
  bool ddp = false;
  std::int64_t max_restarts = 0;

  template <typename Visitor, typename Self>
  static void visit_fields(Visitor&& visit, Self& self) {
    constexpr auto kGroup = "Several devices";
    visit(FieldInfo{.name = "devices",
                    .group = kGroup,
                    .help = "Devices that train together, as 'vkgpt devices' shows them: 0,1 or all"},
          self.devices);
    visit(FieldInfo{.name = "nproc_per_node",
                    .group = kGroup,
                    .help = "torchrun's way: the first so many devices of this machine",
                    .min = 1,
                    .max = 1024},
          self.nproc_per_node);
    visit(FieldInfo{.name = "ddp", .group = kGroup, .help = "torchrun's way: several ranks train one model"},
          self.ddp);
    visit(FieldInfo{.name = "max_restarts",
                    .group = kGroup,
                    .help = "How often ranks that failed are started again from the newest checkpoint",
                    .min = 0,
                    .max = 1e6},
          self.max_restarts);
  }
};

/// Ranks that this process shall start: 1 where it trains itself, as one of a launcher's ranks or alone.
int ranks_to_start(const RankSettings& settings);

/// Starts `train ARGS` on so many ranks of this machine through mpirun and waits for them; after a failure
/// again, with --resume, as often as the settings allow. A signal is handed on. Its exit code.
int start_ranks(std::span<const std::string> args, int count, const RankSettings& settings);

/// This process as one of a launcher's ranks; null where it trains alone. Log lines of ranks other than 0
/// begin with their number and host.
std::unique_ptr<comm::Communicator> join_launcher(double timeout_seconds);

/// The device of this rank, for `--device`.
std::string device_of_rank(const RankSettings& settings, const RunOptions& run,
                           const comm::Communicator& ranks);

/// Refuses ranks whose program, settings, data, checkpoint differ from rank 0's.
void agree_on_run(comm::Communicator& ranks, const FieldSet& fields, const train::RunSetup& setup);

/// Refuses a rank that does not see the run directory that rank 0 has made.
void agree_on_directory(comm::Communicator& ranks, const std::string& out_dir);

/// Refuses a model or micro-steps that do not divide between so many ranks.
void check_division(const model::GptConfig& model, const train::TrainConfig& config, int size);

/// Refuses two ranks on one GPU.
void agree_on_devices(comm::Communicator& ranks, const vk::DeviceCaps& caps);

}  // namespace vkgpt::cli
