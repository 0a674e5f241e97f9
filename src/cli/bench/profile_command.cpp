#include <cstdint>
#include <format>
#include <print>
#include <span>
#include <string>
#include <vector>

#include <nlohmann/json.hpp>

#include "vkgpt/core/error.hpp"
#include "vkgpt/core/file.hpp"
#include "vkgpt/core/interrupt.hpp"
#include "vkgpt/model/gpt_params.hpp"
#include "vkgpt/model/train_plan.hpp"
#include "vkgpt/plan/profiler.hpp"
#include "vkgpt/train/plan_options.hpp"

#include "cli/bench/bench.hpp"
#include "cli/bench/kernel_times.hpp"
#include "cli/bench/random_runner.hpp"
#include "cli/bench/trace.hpp"
#include "cli/command/command_line.hpp"
#include "cli/command/presets.hpp"
#include "cli/commands.hpp"
#include "cli/run_options.hpp"

namespace vkgpt::cli {
namespace {

struct ProfileOptions {
  std::string out = "profile.json";
  std::int64_t profile_steps = 3;

  template <typename Visitor, typename Self>
  static void visit_fields(Visitor&& visit, Self& self) {
    constexpr auto kGroup = "Profile";
    visit(FieldInfo{.name = "out", .group = kGroup, .help = "File for the trace, which Perfetto loads"},
          self.out);
    visit(
        FieldInfo{
            .name = "profile_steps", .group = kGroup, .help = "Steps to profile", .min = 1, .max = 1000},
        self.profile_steps);
  }
};

/// Profiles the segments of `steps` steps on the batch of the last step that `runner` ran eagerly.
std::vector<plan::ProfiledSegment> profile_steps(vk::Context& context, train::StepRunner& runner,
                                                 std::int64_t micro_steps, std::int64_t steps) {
  plan::Profiler profiler(context, runner.store(), runner.executor().schedule());
  std::vector<std::string> segments(static_cast<std::size_t>(micro_steps), model::segment::kMicroStep);
  segments.front() = model::segment::kFirstMicroStep;
  segments.push_back(model::segment::kUpdate);
  std::vector<plan::ProfiledSegment> profile;
  for (std::int64_t step = 0; step < steps; ++step) {
    std::span<const plan::DispatchTime> expected = runner.eager_times();
    for (const std::string& segment : segments) {
      if (interrupted()) throw Error("interrupted", ExitCode::kInterrupted);
      const std::size_t count = runner.executor().schedule().plan.segment(segment).dispatches.size();
      profile.push_back(profiler.run(segment, 0, expected.first(count)));
      expected = expected.subspan(count);
    }
  }
  return profile;
}

std::vector<KernelTime> kernels_of(std::span<const plan::ProfiledSegment> profile, std::int64_t steps,
                                   DType dtype, const DeviceLimits& limits) {
  std::vector<plan::DispatchTime> times;
  for (const plan::ProfiledSegment& segment : profile) {
    for (const plan::ProfiledDispatch& dispatch : segment.dispatches) {
      times.push_back({dispatch.label, dispatch.stem, dispatch.cost, dispatch.end_ns - dispatch.begin_ns});
    }
  }
  std::vector<KernelTime> kernels = time_by_kernel(times, dtype, limits);
  for (KernelTime& kernel : kernels) {
    kernel.calls /= static_cast<int>(steps);
    kernel.milliseconds /= static_cast<double>(steps);
  }
  return kernels;
}

}  // namespace

int run_profile(std::span<const std::string> args) {
  PresetOptions preset;
  model::GptConfig model;
  train::TrainConfig config;
  ProfileOptions options;
  RunOptions run;
  config.batch_size = 16;
  CommandLine command(
      "profile",
      "Times every dispatch of the train step on random tokens: a table by kernel, and a trace "
      "for Perfetto or chrome://tracing.");
  command.add(preset).add(model).add(config).add(options).add(run);
  if (!command.parse(args)) return 0;
  model.vocab_size = vocabulary_of(preset);
  model.validate();
  config.curriculum = false;  // the step of the full context length
  config.validate();
  install_interrupt_handlers();

  vk::Context context(context_options(run));
  std::print(stderr, "device: {} ({})\n", context.caps().name, context.caps().driver);
  const DeviceLimits limits = measure_limits(context);
  const model::GptParams params(model, train::adaptation(config));
  config.batch_size = train::resolve_batch_size(params, config, context.target());
  RandomRunner runner(context, model, config);
  // The first step warms up; the times of the second say where long work is cut.
  for (std::int64_t step = 0; step < 2; ++step) runner->run_eager(step, config.learning_rate);
  const std::vector<plan::ProfiledSegment> profile =
      profile_steps(context, *runner, config.grad_accum_steps, options.profile_steps);
  context.instance().check_messages();
  write_file(options.out, trace_json(profile, context.caps().name).dump());

  const DType dtype = train::activation_dtype(config, context.caps());
  const std::vector<KernelTime> kernels = kernels_of(profile, options.profile_steps, dtype, limits);
  double device_ms = 0;
  int groups = 0;
  for (const plan::ProfiledSegment& segment : profile) {
    device_ms += segment.device_ns() / 1e6 / static_cast<double>(options.profile_steps);
    if (!segment.dispatches.empty()) groups += segment.dispatches.back().group + 1;
  }
  groups /= static_cast<int>(options.profile_steps);
  if (run.json) {
    const nlohmann::ordered_json record = {{"device", context.caps().name},
                                           {"driver", context.caps().driver},
                                           {"batch_size", config.batch_size},
                                           {"dtype", dtype_name(dtype)},
                                           {"device_ms", device_ms},
                                           {"barrier_groups", groups},
                                           {"trace", options.out},
                                           {"kernels", kernel_times_json(kernels)}};
    std::print("{}\n", record.dump(2));
    return 0;
  }
  std::print(
      "limits: {}\n\n{}\none step of batch {}: {:.2f} ms on the device in {} barrier groups, mean of {}\n"
      "trace of all dispatches: {}\n",
      limits_text(limits), kernel_time_table(kernels), config.batch_size, device_ms, groups,
      options.profile_steps, options.out);
  return 0;
}

}  // namespace vkgpt::cli
