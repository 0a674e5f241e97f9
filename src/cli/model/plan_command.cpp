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
#include "vkgpt/model/train_plan.hpp"
#include "vkgpt/plan/limits.hpp"
#include "vkgpt/plan/memory_limit.hpp"
#include "vkgpt/plan/plan_dump.hpp"
#include "vkgpt/train/step_runner.hpp"
#include "vkgpt/vk/device_profile.hpp"

#include "cli/command/command_line.hpp"
#include "cli/command/presets.hpp"
#include "cli/commands.hpp"

namespace vkgpt::cli {
namespace {

struct PlanOptions {
  std::string device_profile;
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
    visit(
        FieldInfo{
            .name = "presets", .group = kGroup, .help = "Table of all presets: parameters, memory, work"},
        self.presets);
    visit(FieldInfo{.name = "verbose", .group = kGroup, .help = "List every dispatch"}, self.verbose);
    visit(FieldInfo{.name = "json", .group = kGroup, .help = "Print the plan as JSON"}, self.json);
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
    if (model.vocab_size == 0) model.vocab_size = vocabulary_of(preset);
    model.validate();
    config.validate();
    if (config.batch_size == 0) fail_usage("--batch_size auto asks a device: give a number here");
    return true;
  }

  plan::Schedule schedule() const {
    vk::Target target;
    if (options.device_profile.empty()) {
      target.caps.max_allocation_bytes = UINT64_MAX;
      target.caps.storage_16bit = true;
    } else {
      target.caps = vk::load_device_profile(options.device_profile);
    }
    plan::Schedule schedule = train::train_schedule(params(), config, model.block_size, target);
    plan::check_memory(schedule.memory, target.caps);
    return schedule;
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

}  // namespace

int run_plan(std::span<const std::string> args) {
  PlanRequest request;
  if (!request.parse(args)) return 0;
  const PlanOptions& options = request.options;
  if (options.presets) return print_presets(args, options.json);
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
