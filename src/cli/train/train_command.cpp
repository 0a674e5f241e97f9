#include <algorithm>
#include <functional>
#include <memory>
#include <optional>
#include <print>
#include <string>
#include <vector>

#include <nlohmann/json.hpp>

#include "vkgpt/comm/agreement.hpp"
#include "vkgpt/core/error.hpp"
#include "vkgpt/core/file.hpp"
#include "vkgpt/core/format.hpp"
#include "vkgpt/core/interrupt.hpp"
#include "vkgpt/core/log.hpp"
#include "vkgpt/core/utf8.hpp"
#include "vkgpt/model/gpt_params.hpp"
#include "vkgpt/text/generate/sampler.hpp"
#include "vkgpt/train/recovery.hpp"
#include "vkgpt/train/run_setup.hpp"
#include "vkgpt/vk/context.hpp"
#include "vkgpt/vk/kernel_record.hpp"

#include "cli/command/arguments.hpp"
#include "cli/command/command_line.hpp"
#include "cli/command/presets.hpp"
#include "cli/command/process.hpp"
#include "cli/commands.hpp"
#include "cli/data/default_text.hpp"
#include "cli/device/record_report.hpp"
#include "cli/model/generate.hpp"
#include "cli/run_options.hpp"
#include "cli/train/ranks.hpp"

namespace vkgpt::cli {
namespace {

struct TrainOptions {
  bool generate_only = false;
  bool dashboard = false;
  std::int64_t dashboard_port = 8081;
  std::string selftest = "auto";

  template <typename Visitor, typename Self>
  static void visit_fields(Visitor&& visit, Self& self) {
    visit(FieldInfo{.name = "generate_only",
                    .group = "Data and run directory",
                    .help = "Train nothing: continue --prompt with out_dir's model, as 'generate' does"},
          self.generate_only);
    visit(FieldInfo{.name = "dashboard",
                    .group = "Reports and checkpoints (an interval of 0 means never)",
                    .help = "Show the run in a browser while it trains, as 'vkgpt dashboard' does"},
          self.dashboard);
    visit(FieldInfo{.name = "dashboard_port",
                    .group = "Reports and checkpoints (an interval of 0 means never)",
                    .help = "Where; 0 takes a free one",
                    .min = 0,
                    .max = 65535},
          self.dashboard_port);
    visit(
        FieldInfo{.name = "selftest",
                  .group = "Device and output",
                  .help = "Check the kernels beside the first training on a device: auto on GPUs. What fails "
                          "is off from the next start on",
                  .choices = "auto|on|off"},
        self.selftest);
  }
};

/// `train --generate_only` takes the flags of both commands.
int run_generate_only(std::span<const std::string> args) {
  text::GenerateConfig config;
  text::SamplerConfig sampling;
  RunOptions run;
  TrainOptions options;
  PresetOptions preset;
  model::GptConfig model;
  train::TrainConfig train;
  CommandLine command("train", "Continues a prompt with the model of a run directory.");
  command.add(config).add(sampling).add(run).add(options).add(preset).add_missing(model).add_missing(train);
  if (!command.parse(args)) return 0;
  if (config.model.empty()) config.model = train.out_dir;
  return generate(config, sampling, run);
}

bool asks_generate_only(std::span<const std::string> args) {
  return std::ranges::any_of(args, [](const std::string& arg) {
    const std::string flag = canonical_key(arg);
    return flag == "__generate_only" || flag == "__generate_only=true";
  });
}

nlohmann::ordered_json optional_json(const std::optional<double>& value) {
  return value ? nlohmann::ordered_json(*value) : nlohmann::ordered_json(nullptr);
}

void print_summary(const train::TrainSummary& summary, const model::GptConfig& model,
                   const std::string& out_dir, bool json) {
  if (!json) {
    log_info("{} after {} steps in {:.1f} s; val loss {}, best {}; checkpoints in {}",
             summary.interrupted ? "interrupted" : "trained", summary.steps, summary.seconds,
             summary.val_loss ? vkgpt::format("{:.4f}", *summary.val_loss) : "n/a",
             summary.best_val_loss ? vkgpt::format("{:.4f}", *summary.best_val_loss) : "n/a", out_dir);
    return;
  }
  const nlohmann::ordered_json record = {{"steps", summary.steps},
                                         {"interrupted", summary.interrupted},
                                         {"train_loss", optional_json(summary.train_loss)},
                                         {"val_loss", optional_json(summary.val_loss)},
                                         {"best_val_loss", optional_json(summary.best_val_loss)},
                                         {"seconds", summary.seconds},
                                         {"first_step_seconds", summary.first_step_seconds},
                                         {"tokens_per_second", summary.tokens_per_second},
                                         {"parameters", model::GptParams(model).parameter_count()},
                                         {"device_bytes", summary.device_bytes},
                                         {"out_dir", out_dir}};
  std::print("{}\n", record.dump());
}

void describe(const train::TrainData& data, const model::GptParams& params) {
  const std::int64_t trained = params.trainable_count();
  log_info("{}: {} training tokens, {} for validation, vocabulary {}; {:.2f} M parameters{}", data.name,
           data.corpus.train().size(), data.corpus.validation().size(), params.config().vocab_size,
           static_cast<double>(params.parameter_count()) / 1e6,
           trained == params.parameter_count()
               ? ""
               : vkgpt::format(", {:.3f} M of them trained", static_cast<double>(trained) / 1e6));
}

/// Rank 0 first: it makes the run directory.
void set_up_together(comm::Communicator* ranks, const std::string& out_dir,
                     const std::function<void(train::StoreAccess)>& set_up) {
  if (ranks == nullptr) return set_up(train::StoreAccess::kWrite);
  const bool leads = ranks->rank() == 0;
  comm::together(*ranks, "run directory", [&] {
    if (leads) set_up(train::StoreAccess::kWrite);
  });
  agree_on_directory(*ranks, out_dir);
  comm::together(*ranks, "run directory", [&] {
    if (!leads) set_up(train::StoreAccess::kRead);
  });
}

std::unique_ptr<vk::Context> open_context(RunOptions& run, const RankSettings& settings,
                                          comm::Communicator* ranks) {
  std::unique_ptr<vk::Context> context;
  const auto open = [&] { context = std::make_unique<vk::Context>(context_options(run)); };
  if (ranks == nullptr) {
    open();
  } else {
    comm::together(*ranks, "device", [&] {
      run.device = device_of_rank(settings, run, *ranks);
      open();
    });
    agree_on_devices(*ranks, context->caps());
  }
  log_info("device: {} ({})", context->caps().name, context->caps().driver);
  return context;
}

/// A self-test of the device beside the training, where none has come to its end and one is wanted.
class KernelCheck {
 public:
  void start(const vk::DeviceCaps& caps, const RunOptions& run, std::string_view wish) {
    if (companion_) return;
    const vk::KernelRecord record = vk::read_kernel_record(vk::default_cache_dir(), caps);
    if (!record.tested.empty()) return;
    const std::string state =
        record.unfinished ? vkgpt::format("the self-test of {} did not come to its end ({})",
                                          record.unfinished->date, printable(record.unfinished->reason, 200))
                          : "its kernels were never checked";
    if (wish == "off" || (wish == "auto" && caps.is_cpu()) || !run.shader_dir.empty()) {
      log_info("{}: 'vkgpt selftest' does it in seconds", state);
      return;
    }
    log_info("{}: they are checked meanwhile ('vkgpt selftest'): what fails is off from the next start on",
             state);
    caps_ = caps;
    companion_.emplace(std::vector<std::string>{"/proc/self/exe", "selftest", "--device", caps.uuid},
                       Companion::Errors::kDiscarded);
  }

  /// Ends it, and says what failed by then and cannot be replaced.
  void finish() {
    if (!companion_) return;
    companion_.reset();
    warn_of_failed(vk::read_kernel_record(vk::default_cache_dir(), caps_), caps_.name);
  }

 private:
  std::optional<Companion> companion_;
  vk::DeviceCaps caps_;
};

}  // namespace

int run_train(std::span<const std::string> args) {
  if (asks_generate_only(args)) return run_generate_only(args);
  PresetOptions preset;
  model::GptConfig model;
  train::TrainConfig config;
  TrainOptions options;
  RankSettings rank_settings;
  RunOptions run;
  CommandLine command("train", "Trains a GPT on a text.");
  command.add(preset).add(model).add(config).add(options).add(rank_settings).add(run);
  command.continue_runs();
  if (!command.parse(args)) return 0;
  if (options.generate_only) return run_generate_only(args);
  install_interrupt_handlers();
  config.validate();  // before a text is fetched
  if (const int count = ranks_to_start(rank_settings); count > 1)
    return start_ranks(args, count, rank_settings);
  if (!rank_settings.devices.empty() && rank_settings.devices != "all") run.device = rank_settings.devices;
  const std::unique_ptr<comm::Communicator> ranks = join_launcher(config.comm_timeout);
  const bool leads = ranks == nullptr || ranks->rank() == 0;
  if (config.data_path.empty() && config.memmap_dataset.empty()) {
    config.data_path = default_text();
    log_info("no --data_path: training on {}", printable(config.data_path, 200));
  }

  std::optional<train::RunSetup> setup;
  set_up_together(ranks.get(), config.out_dir, [&](train::StoreAccess access) {
    setup.emplace(command.fields(), model, config, command.changes(), access);
  });
  if (ranks != nullptr) {
    agree_on_run(*ranks, command.fields(), *setup);
    comm::together(*ranks, "settings", [&] { check_division(model, config, ranks->size()); });
  }
  KernelCheck kernel_check;
  const auto open_device = [&] {
    auto context = open_context(run, rank_settings, ranks.get());
    if (leads) kernel_check.start(context->caps(), run, options.selftest);
    describe(setup->data(), model::GptParams(model, train::adaptation(config)));
    return context;
  };
  std::optional<Companion> dashboard;
  if (options.dashboard && leads) {
    make_directories(config.out_dir);
    dashboard.emplace(std::vector<std::string>{"/proc/self/exe", "dashboard", config.out_dir, "--port",
                                               std::to_string(options.dashboard_port)});
  }
  train::RunInput input = setup->input();
  input.ranks = ranks.get();
  const train::TrainSummary summary = train::train_with_recovery(open_device, input, config);
  kernel_check.finish();
  if (leads) print_summary(summary, model, config.out_dir, run.json);
  if (ranks != nullptr) ranks->close();
  return static_cast<int>(summary.interrupted ? ExitCode::kInterrupted : ExitCode::kSuccess);
}

}  // namespace vkgpt::cli
