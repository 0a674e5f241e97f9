#include <array>
#include <cstdint>
#include <map>
#include <print>
#include <string>
#include <vector>

#include <nlohmann/json.hpp>

#include "vkgpt/core/error.hpp"
#include "vkgpt/core/format.hpp"
#include "vkgpt/core/units.hpp"
#include "vkgpt/model/gpt_params.hpp"
#include "vkgpt/model/model_directory.hpp"
#include "vkgpt/model/train_plan.hpp"
#include "vkgpt/plan/limits.hpp"
#include "vkgpt/plan/memory_limit.hpp"
#include "vkgpt/plan/plan_dump.hpp"
#include "vkgpt/train/checkpoint.hpp"
#include "vkgpt/train/context_change.hpp"
#include "vkgpt/train/init_adapter.hpp"
#include "vkgpt/train/plan_options.hpp"
#include "vkgpt/train/rank_cost.hpp"
#include "vkgpt/vk/device_profile.hpp"

#include "cli/command/command_line.hpp"
#include "cli/command/presets.hpp"
#include "cli/commands.hpp"

namespace vkgpt::cli {
namespace {

struct PlanOptions {
  std::string device_profile;
  std::int64_t ranks = 1;
  double net_gbit = 10;
  double net_latency_us = 50;
  double micro_step_ms = 0;
  double tflops = 0;
  bool presets = false;
  bool verbose = false;
  bool json = false;

  template <typename Visitor, typename Self>
  static void visit_fields(Visitor&& visit, Self& self) {
    constexpr auto kGroup = "Plan";
    visit(
        FieldInfo{.name = "device_profile",
                  .group = kGroup,
                  .help = "Device to plan for: h100, rtx4090, ... or a file of 'vkgpt devices --save'; empty "
                          "plans for no device in particular"},
        self.device_profile);
    visit_ranks(visit, self);
    visit(
        FieldInfo{
            .name = "presets", .group = kGroup, .help = "Table of all presets: parameters, memory, work"},
        self.presets);
    visit(FieldInfo{.name = "verbose", .group = kGroup, .help = "List every dispatch"}, self.verbose);
    visit(FieldInfo{.name = "json", .group = kGroup, .help = "Print the plan as JSON"}, self.json);
  }

 private:
  template <typename Visitor, typename Self>
  static void visit_ranks(Visitor& visit, Self& self) {
    constexpr auto kGroup = "Several devices";
    visit(FieldInfo{.name = "ranks",
                    .group = kGroup,
                    .help = "Predict a step of so many ranks; needs --micro_step_ms or --tflops",
                    .min = 1,
                    .max = 1024},
          self.ranks);
    visit(FieldInfo{.name = "net_gbit",
                    .group = kGroup,
                    .help = "Gbit/s of each rank's line to the others",
                    .min = 1e-4,
                    .max = 1e5},
          self.net_gbit);
    visit(FieldInfo{.name = "net_latency_us",
                    .group = kGroup,
                    .help = "Microseconds that a message takes",
                    .min = 0,
                    .max = 1e7},
          self.net_latency_us);
    visit(FieldInfo{.name = "micro_step_ms",
                    .group = kGroup,
                    .help = "'vkgpt bench step' of one micro-step, the machine's other devices busy",
                    .min = 0,
                    .max = 1e9},
          self.micro_step_ms);
    visit(FieldInfo{.name = "tflops",
                    .group = kGroup,
                    .help = "Or what a device keeps up in training, in TFLOP/s",
                    .min = 0,
                    .max = 1e6},
          self.tflops);
  }
};

/// The configurations of one `plan` command line.
struct PlanRequest {
  PresetOptions preset;
  model::GptConfig model;
  train::TrainConfig config;
  PlanOptions options;

  /// False where the help was asked for.
  bool parse(std::span<const std::string> args) {
    CommandLine command("plan", "Prints the train step that flags describe, without a GPU.");
    command.add(preset).add(model).add(config).add(options);
    if (!command.parse(args)) return false;
    if (!config.init_from.empty()) take_shape(command.fields());
    if (model.vocab_size == 0) model.vocab_size = vocabulary_of(preset);
    model.validate();
    config.validate();
    if (!config.init_adapter.empty()) train::take_adapter_settings(command.fields(), model, config);
    if (config.batch_size == 0) fail_usage("--batch_size auto asks a device: give a number here");
    if (options.ranks > 1 && (options.micro_step_ms > 0) == (options.tflops > 0)) {
      fail_usage("--ranks {} needs the speed of a device: either --micro_step_ms or --tflops", options.ranks);
    }
    return true;
  }

  /// The shape of --init_from's model, of which nothing else is read, with the context that flags wish.
  void take_shape(const FieldSet& fields) {
    const Path directory = train::find_model_directory(config.init_from);
    model = train::with_changed_context(model::read_model_config(directory), model, fields);
  }

  vk::Target target() const {
    vk::Target target;
    if (options.device_profile.empty()) {
      target.caps.max_allocation_bytes = UINT64_MAX;
      target.caps.storage_16bit = true;
    } else {
      target.caps = vk::load_device_profile(options.device_profile);
    }
    return target;
  }
  plan::Schedule schedule() const {
    const vk::Target device = target();
    plan::Schedule schedule = train::train_schedule(params(), config, model.block_size, device);
    plan::check_memory(schedule.memory, device.caps);
    return schedule;
  }
  train::RankSpeed speed() const {
    const auto tokens = static_cast<double>(config.batch_size * model.block_size);
    return {.micro_step_seconds = options.micro_step_ms > 0
                                      ? 1e-3 * options.micro_step_ms
                                      : flops_per_token() * tokens / (1e12 * options.tflops),
            .line_bits_per_second = 1e9 * options.net_gbit,
            .latency_seconds = 1e-6 * options.net_latency_us};
  }
  model::GptParams params() const { return model::GptParams(model, train::adaptation(config)); }
  std::int64_t parameters() const { return params().parameter_count(); }
  double flops_per_token() const { return model::train_flops_per_token(model); }
};

constexpr std::array kTableRoles = {plan::Role::kParameters, plan::Role::kGradients, plan::Role::kOptimizer,
                                    plan::Role::kActivations};

void print_preset_row(const PlanRequest& request) {
  std::map<plan::Role, std::uint64_t> bytes;
  try {
    bytes = request.schedule().memory.bytes_by_role;
  } catch (const plan::TooLarge& error) {
    std::print("{:<14} {}\n", request.preset.preset, error.what());
    return;
  }
  std::uint64_t total = 0;
  for (const auto& [role, count] : bytes) total += count;
  std::string line =
      vkgpt::format("{:<14} {:>8.2f} M {:>12} {:>9}", request.preset.preset, request.parameters() / 1e6,
                    vkgpt::format("{} x {}", request.config.batch_size, request.model.block_size),
                    vkgpt::format("{:.0f} M", request.flops_per_token() / 1e6));
  for (const plan::Role role : kTableRoles) {
    const auto found = bytes.find(role);
    line += vkgpt::format(" {:>11}", format_bytes(found == bytes.end() ? 0 : found->second));
  }
  std::print("{} {:>11}\n", line, format_bytes(total));
}

/// Every preset, with what else the flags say.
int print_presets(std::span<const std::string> args, bool json) {
  nlohmann::ordered_json records = nlohmann::ordered_json::array();
  if (!json) {
    std::print("{:<14} {:>10} {:>12} {:>9} {:>11} {:>11} {:>11} {:>11} {:>11}\n", "preset", "parameters",
               "B x T", "FLOP/tok", "weights", "gradients", "optimizer", "activations", "total");
  }
  for (const Preset& preset : presets()) {
    std::vector<std::string> words(args.begin(), args.end());
    words.insert(words.end(), {"--preset", std::string(preset.name)});
    PlanRequest request;
    request.parse(words);
    if (!json) {
      print_preset_row(request);
      continue;
    }
    nlohmann::ordered_json record = {{"preset", preset.name},
                                     {"summary", preset.summary},
                                     {"vocab_size", request.model.vocab_size},
                                     {"batch_size", request.config.batch_size},
                                     {"block_size", request.model.block_size},
                                     {"parameters", request.parameters()},
                                     {"flops_per_token", request.flops_per_token()}};
    try {
      for (const auto& [role, bytes] : request.schedule().memory.bytes_by_role) {
        record["memory"][std::string(plan::role_name(role))] = bytes;
      }
    } catch (const plan::TooLarge& error) {
      record["refused"] = error.what();
    }
    records.push_back(record);
  }
  if (json) std::print("{}\n", records.dump(2));
  return 0;
}

/// One rank, 2, 4, ... and as many as asked for.
std::vector<train::RankCost> predict(const PlanRequest& request) {
  const auto ranks = static_cast<int>(request.options.ranks);
  std::vector<int> sizes;
  for (int size = 1; size < ranks && request.config.balance == "even"; size *= 2) sizes.push_back(size);
  sizes.push_back(ranks);
  std::vector<train::RankCost> costs;
  for (const int size : sizes) {
    costs.push_back(
        train::predict_step(request.params(), request.config, request.target(), size, request.speed()));
  }
  return costs;
}

int print_ranks(const PlanRequest& request) {
  const std::vector<train::RankCost> costs = predict(request);
  const auto tokens = static_cast<double>(request.config.batch_size * request.config.grad_accum_steps *
                                          request.model.block_size);
  if (request.options.json) {
    nlohmann::ordered_json records = nlohmann::ordered_json::array();
    for (const train::RankCost& cost : costs) {
      records.push_back({{"ranks", cost.ranks},
                         {"predicted_step_ms", 1e3 * cost.step_seconds},
                         {"predicted_compute_ms", 1e3 * cost.compute_seconds},
                         {"predicted_tokens_per_second", tokens / cost.step_seconds},
                         {"predicted_efficiency", cost.efficiency()},
                         {"sent_bytes", cost.sent_bytes},
                         {"memory_bytes", cost.memory_bytes}});
    }
    std::print("{}\n", records.dump(2));
    return 0;
  }
  std::print(
      "Predicted by a cost model, not measured: {} micro-steps of {} x {}, {:.4g} ms each on one device, "
      "lines of {:.4g} Gbit/s\n\n{:>5} {:>12} {:>12} {:>12} {:>11} {:>12} {:>12}\n",
      request.config.grad_accum_steps, request.config.batch_size, request.model.block_size,
      1e3 * request.speed().micro_step_seconds, request.options.net_gbit, "ranks", "step", "computing",
      "tokens/s", "efficiency", "rank sends", "rank holds");
  for (const train::RankCost& cost : costs) {
    std::print("{:>5} {:>9.2f} ms {:>9.2f} ms {:>12.0f} {:>9.1f} % {:>12} {:>12}\n", cost.ranks,
               1e3 * cost.step_seconds, 1e3 * cost.compute_seconds, tokens / cost.step_seconds,
               100 * cost.efficiency(), format_bytes(cost.sent_bytes), format_bytes(cost.memory_bytes));
  }
  return 0;
}

}  // namespace

int run_plan(std::span<const std::string> args) {
  PlanRequest request;
  if (!request.parse(args)) return 0;
  const PlanOptions& options = request.options;
  if (options.presets) return print_presets(args, options.json);
  if (options.ranks > 1) return print_ranks(request);
  const plan::Schedule schedule = request.schedule();
  const std::int64_t parameters = request.parameters();
  const double flops = request.flops_per_token();
  if (options.json) {
    nlohmann::json record = plan::dump_json(schedule);
    record["parameters"] = parameters;
    record["flops_per_token"] = flops;
    std::print("{}\n", record.dump(2));
    return 0;
  }
  std::print("{} parameters, {:.3f} MFLOP per trained token\n\n{}", parameters, flops / 1e6,
             plan::dump_text(schedule, options.verbose));
  return 0;
}

}  // namespace vkgpt::cli
