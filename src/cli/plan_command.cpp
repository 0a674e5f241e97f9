#include <cstdint>
#include <print>
#include <string>

#include <nlohmann/json.hpp>

#include "vkgpt/cli/command_line.hpp"
#include "vkgpt/cli/commands.hpp"
#include "vkgpt/cli/run_options.hpp"
#include "vkgpt/core/error.hpp"
#include "vkgpt/model/gpt_params.hpp"
#include "vkgpt/model/train_plan.hpp"
#include "vkgpt/plan/plan_dump.hpp"
#include "vkgpt/train/step_runner.hpp"

namespace vkgpt::cli {
namespace {

struct PlanOptions {
  std::int64_t vocab_size = 65;
  bool verbose = false;
  bool json = false;

  template <typename Visitor, typename Self>
  static void visit_fields(Visitor&& visit, Self& self) {
    constexpr auto kGroup = "Plan";
    visit(FieldInfo{.name = "plan_vocab_size",
                    .group = kGroup,
                    .help = "Vocabulary to plan for (65: tiny shakespeare's characters)",
                    .min = 1,
                    .max = 1 << 24},
          self.vocab_size);
    visit(FieldInfo{.name = "verbose", .group = kGroup, .help = "List every dispatch"}, self.verbose);
    visit(FieldInfo{.name = "json", .group = kGroup, .help = "Print the plan as JSON"}, self.json);
  }
};

}  // namespace

int run_plan(std::span<const std::string> args) {
  model::GptConfig model;
  train::TrainConfig config;
  PlanOptions options;
  CommandLine command("plan", "Prints the train step that flags describe, without a GPU.");
  command.add(model).add(config).add(options);
  if (!command.parse(args)) return 0;
  model.vocab_size = options.vocab_size;
  model.validate();
  config.validate();

  vk::DeviceCaps caps;
  caps.max_allocation_bytes = UINT64_MAX;
  const plan::Schedule schedule = train::train_schedule(model, config, caps);
  const std::int64_t parameters = model::GptParams(model).parameter_count();
  const double flops = model::train_flops_per_token(model);
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
