#include "cli/train/ranks.hpp"

#include <algorithm>
#include <chrono>
#include <cstdlib>
#include <filesystem>
#include <optional>
#include <ranges>
#include <string_view>
#include <system_error>

#include <nlohmann/json.hpp>
#include <unistd.h>

#include "vkgpt/comm/agreement.hpp"
#include "vkgpt/comm/collectives.hpp"
#include "vkgpt/core/config_json.hpp"
#include "vkgpt/core/error.hpp"
#include "vkgpt/core/file.hpp"
#include "vkgpt/core/format.hpp"
#include "vkgpt/core/hash.hpp"
#include "vkgpt/core/interrupt.hpp"
#include "vkgpt/core/log.hpp"
#include "vkgpt/core/log_prefix.hpp"
#include "vkgpt/core/utf8.hpp"
#include "vkgpt/model/exchange_layout.hpp"
#include "vkgpt/train/plan_options.hpp"
#include "vkgpt/train/rank_balance.hpp"
#include "vkgpt/vk/instance.hpp"
#include "vkgpt/vk/physical_device.hpp"

#include "cli/command/process.hpp"

namespace vkgpt::cli {
namespace {

constexpr int kMaxRanks = 1024;

std::vector<std::string> named_devices(const std::string& list) {
  std::vector<std::string> names;
  for (const auto part : std::views::split(list, ',')) names.emplace_back(std::string_view(part));
  if (std::ranges::contains(names, std::string())) fail_usage("--devices {}: give 0,1 or all", list);
  return names;
}

/// Numbers of the usable GPUs.
std::vector<std::size_t> gpus() {
  const vk::Instance instance;
  const std::vector<vk::PhysicalDevice> devices = vk::enumerate_devices(instance);
  std::vector<std::size_t> found;
  for (std::size_t i = 0; i < devices.size(); ++i) {
    if (devices[i].rejection.empty() && !devices[i].caps.is_cpu()) found.push_back(i);
  }
  return found;
}

/// mpirun with what both Open MPI and MPICH need, but for the number of ranks and the program.
std::vector<std::string> engine() {
  const std::optional<std::string> version = first_line_of({"mpirun", "--version"});
  if (!version) {
    fail("several devices need mpirun, which is not there: install Open MPI (Debian: openmpi-bin) or MPICH");
  }
  std::vector<std::string> words = {"mpirun"};
  if (version->contains("Open MPI") || version->contains("Open RTE")) {
    // All ranks are on this machine: shared memory carries their messages.
    words.insert(words.end(),
                 {"--oversubscribe", "--bind-to", "none", "--mca", "pml", "ob1", "--mca", "btl", "self,sm"});
    if (geteuid() == 0) words.emplace_back("--allow-run-as-root");
  }
  return words;
}

}  // namespace

int ranks_to_start(const RankSettings& settings) {
  if (comm::has_launcher()) return 1;
  if (!settings.devices.empty() && settings.nproc_per_node > 1) {
    fail_usage("--devices and --nproc_per_node are both given: one of them says how many ranks there are");
  }
  if (settings.devices == "all") return std::max(1, static_cast<int>(gpus().size()));
  if (!settings.devices.empty()) return static_cast<int>(named_devices(settings.devices).size());
  return static_cast<int>(settings.nproc_per_node);
}

int start_ranks(std::span<const std::string> args, int count, const RankSettings& settings) {
  if (count > kMaxRanks) fail_usage("{} ranks on one machine, at most {}", count, kMaxRanks);
  std::vector<std::string> words = engine();
  // PMIx of Open MPI 5 maps its shared memory where another process found room, which fails now and then.
  setenv("PMIX_MCA_gds", "hash", 0);
  words.insert(words.end(), {"-n", std::to_string(count),
                             std::filesystem::read_symlink("/proc/self/exe").string(), "train"});
  words.insert(words.end(), args.begin(), args.end());
  for (std::int64_t restarts = 0;; ++restarts) {
    const int code = run_ranks(words);
    const bool final = code == 0 || code == static_cast<int>(ExitCode::kUsage) ||
                       code == static_cast<int>(ExitCode::kInterrupted) || interrupted();
    if (final) return interrupted() && code != 0 ? static_cast<int>(ExitCode::kInterrupted) : code;
    if (restarts == settings.max_restarts) return static_cast<int>(ExitCode::kFailure);
    log_warning("the ranks ended with code {}; starting them again from the newest checkpoint ({} of {})",
                code, restarts + 1, settings.max_restarts);
    if (restarts == 0) words.emplace_back("--resume");
  }
}

std::unique_ptr<comm::Communicator> join_launcher(double timeout_seconds) {
  if (!comm::has_launcher()) return nullptr;
  std::unique_ptr<comm::Communicator> ranks = comm::join_ranks(timeout_seconds);
  install_rank_interrupt_handlers();
  if (ranks->rank() > 0) {
    set_log_prefix(comm::rank_prefix(ranks->rank(), ranks->host()));
    set_log_level(LogLevel::kWarning);
  }
  return ranks;
}

std::string device_of_rank(const RankSettings& settings, const RunOptions& run,
                           const comm::Communicator& ranks) {
  const auto local = static_cast<std::size_t>(ranks.local_rank());
  if (!settings.devices.empty() && settings.devices != "all") {
    const std::vector<std::string> names = named_devices(settings.devices);
    if (local < names.size()) return names[local];
    fail_usage("--devices {} names {} for more ranks of this machine", settings.devices, names.size());
  }
  if (!run.device.empty()) return run.device;
  const std::vector<std::size_t> found = gpus();
  if (found.empty()) return {};  // a driver on the CPU may be shared
  if (local < found.size()) return std::to_string(found[local]);
  fail_usage("rank {} of this machine has no GPU of its own: there are {}", local, found.size());
}

void agree_on_run(comm::Communicator& ranks, const FieldSet& fields, const train::RunSetup& setup) {
  std::vector<comm::Agreement> facts = {{"build", sha256(read_file("/proc/self/exe"))},
                                        {"text", setup.data().corpus.fingerprint()}};
  const nlohmann::ordered_json settings = to_json(fields);
  for (const auto& [key, value] : settings.items()) {
    if (key != "device") facts.push_back({"--" + key, value.dump()});
  }
  facts.push_back({"checkpoint", vkgpt::format("step {}", setup.reached())});
  comm::agree(ranks, facts);
}

void agree_on_directory(comm::Communicator& ranks, const std::string& out_dir) {
  const Path mark = Path(out_dir) / ".ranks";
  std::string written;
  comm::together(ranks, "run directory", [&] {
    if (ranks.rank() != 0) return;
    written = vkgpt::format("{} {}\n", getpid(), std::chrono::system_clock::now().time_since_epoch().count());
    replace_file(mark, written);
  });
  const std::string expected = comm::all_gather_text(ranks, written, "run directory")[0];
  std::error_code error;
  const bool is_same = std::filesystem::exists(mark, error) && read_file(mark, 1000) == expected;
  comm::barrier(ranks, "run directory");
  if (ranks.rank() == 0) std::filesystem::remove(mark, error);
  comm::together(ranks, "run directory", [&] {
    if (is_same) return;
    fail("{} here is not where rank 0 writes checkpoints: every rank has to see it, on a shared file system",
         printable(out_dir, 200));
  });
}

void check_division(const model::GptConfig& model, const train::TrainConfig& config, int size) {
  if (config.is_diloco()) {
    if (config.grad_accum_steps % size == 0) return;
    fail_usage(
        "--grad_accum_steps {} counts the micro-steps of all {} workers, each of which takes as many: "
        "give a multiple",
        config.grad_accum_steps, size);
  }
  const std::vector<double> shares = train::parse_shares(config.balance, size);
  static_cast<void>(train::plan_micro_steps(config.grad_accum_steps, shares));
  static_cast<void>(model::exchange_layout(model::GptParams(model, train::adaptation(config)),
                                           train::optimizer_kind(config), {.rank = 0, .size = size}));
}

void agree_on_devices(comm::Communicator& ranks, const vk::DeviceCaps& caps) {
  const std::string own = caps.is_cpu() ? "" : ranks.host() + " " + caps.uuid;
  const std::vector<std::string> all = comm::all_gather_text(ranks, own, "devices");
  comm::together(ranks, "devices", [&] {
    const auto first = std::ranges::find(all, own) - all.begin();
    if (own.empty() || first == ranks.rank()) return;
    fail_usage("it shares {} with rank {}: every rank needs a GPU of its own (--devices 0,1)", caps.name,
               first);
  });
}

}  // namespace vkgpt::cli
