#include <algorithm>
#include <array>
#include <optional>
#include <print>
#include <string>
#include <vector>

#include <nlohmann/json.hpp>

#include "vkgpt/core/error.hpp"
#include "vkgpt/core/format.hpp"
#include "vkgpt/core/interrupt.hpp"
#include "vkgpt/core/units.hpp"
#include "vkgpt/model/gpt_params.hpp"
#include "vkgpt/model/model_directory.hpp"
#include "vkgpt/ops/backend.hpp"
#include "vkgpt/train/checkpoint.hpp"
#include "vkgpt/train/plan_options.hpp"

#include "cli/bench/bench.hpp"
#include "cli/command/command_line.hpp"
#include "cli/command/presets.hpp"
#include "cli/commands.hpp"
#include "cli/run_options.hpp"

namespace vkgpt::cli {
namespace {

constexpr std::array kBenches = {"start", "gemm", "attention", "ops", "step", "decode"};

/// The ops whose tables have timed cases, but those with backends, which are 'gemm' and 'attention'.
std::vector<std::string_view> timed_ops() {
  std::vector<std::string_view> ops;
  for (const check::OpTable& table : check::op_tables()) {
    const bool is_timed = std::ranges::any_of(table.cases, [](const check::Case& c) { return !!c.timed; });
    if (is_timed && !std::ranges::contains(ops::kOpsWithBackends, table.op)) ops.push_back(table.op);
  }
  return ops;
}

struct BenchOptions {
  std::int64_t gemm_size = 0;
  bool compare_devices = false;
  std::string model;

  template <typename Visitor, typename Self>
  static void visit_fields(Visitor&& visit, Self& self) {
    constexpr auto kGroup = "Benchmarks";
    visit(FieldInfo{.name = "gemm_size",
                    .group = kGroup,
                    .help = "Side of the matrices of 'gemm'; 0: the shapes of the preset, without one 768",
                    .min = 0,
                    .max = 1 << 15},
          self.gemm_size);
    visit(
        FieldInfo{
            .name = "compare_devices", .group = kGroup, .help = "Every usable device in turn, in one table"},
        self.compare_devices);
    visit(FieldInfo{.name = "model", .group = kGroup, .help = "Run or model directory whose shape to time"},
          self.model);
  }
};

/// The configurations of one `bench` command line.
struct BenchRequest {
  model::GptConfig model;
  train::TrainConfig config;
  PresetOptions preset;
  BenchOptions options;
  RunOptions run;
  std::string what = "all";

  bool wants(std::string_view bench) const { return what == bench || what == "all"; }
  bool has_preset() const { return !preset.preset.empty() || !options.model.empty(); }
  const std::string& shape_name() const { return options.model.empty() ? preset.preset : options.model; }

  /// False where the help was asked for.
  bool parse(std::span<const std::string> args) {
    config.batch_size = 16;
    std::string names;
    for (const char* bench : kBenches) names += vkgpt::format("{}|", bench);
    CommandLine command(
        "bench",
        "Times this device: matrix products and attention by each of its backends, the other ops "
        "(or one: norm, adamw, ...), the train step, decoding, the start of a run; beside what a "
        "copy and a loop of multiply-adds reach.",
        "[" + names + "OP|all]");
    command.add(preset).add(model).add(config).add(options).add(run);
    if (!command.parse(args)) return false;
    const std::vector<std::string>& words = command.positionals();
    if (!words.empty()) what = words[0];
    const std::vector<std::string_view> ops = timed_ops();
    if (words.size() > 1 || (what != "all" && what != "first_step" &&
                             !std::ranges::contains(kBenches, what) && !std::ranges::contains(ops, what))) {
      std::string list;
      for (const std::string_view op : ops) list += vkgpt::format("{}{}", list.empty() ? "" : ", ", op);
      fail_usage("unknown benchmark '{}': expected one of {}all, or an op: {}", words.back(), names, list);
    }
    if (!options.model.empty()) {
      model = model::read_model_config(train::find_model_directory(options.model));
    } else if (model.vocab_size == 0) {
      model.vocab_size = vocabulary_of(preset);
    }
    model.validate();
    config.validate();
    return true;
  }
};

/// Benchmarks of one device, each figure said as it comes.
class BenchRun {
 public:
  BenchRun(vk::Context& context, const BenchRequest& request) : context_(context), request_(request) {
    result_.device = context.caps().name;
    result_.driver = context.caps().driver;
    result_.limits = measure_limits(context);
    std::print(stderr, "device: {} ({})\nlimits: {}\n", result_.device, result_.driver,
               limits_text(result_.limits));
  }

  const DeviceFigures& figures() const { return result_; }
  const std::optional<StepTime>& step() const { return step_; }
  void add(Figure figure) {
    std::print(stderr, "{} {}: {:.4g} {}\n", figure.bench, figure.name, figure.rate, figure.unit);
    result_.figures.push_back(std::move(figure));
  }

  void run_all() {
    if (request_.wants("gemm")) run_gemm();
    if (request_.wants("attention")) run_attention();
    run_ops();
    if (request_.wants("step")) run_step();
    if (request_.wants("decode")) add_all(bench_decode(context_, request_.model, result_.limits));
  }

 private:
  void add_all(std::vector<Figure> figures) {
    for (Figure& figure : figures) add(std::move(figure));
  }

  train::TrainConfig config() const {
    train::TrainConfig config = request_.config;
    const model::GptParams params(request_.model, train::adaptation(config));
    config.batch_size = train::resolve_batch_size(params, config, context_.target());
    return config;
  }
  std::int64_t batch_tokens() const { return config().batch_size * request_.model.block_size; }

  void run_gemm() {
    constexpr std::int64_t kSize = 768;
    const std::int64_t size = request_.options.gemm_size;
    const bool is_square = size > 0 || !request_.has_preset();
    for (const check::GemmShape& shape :
         is_square ? square_gemms(size > 0 ? size : kSize) : model_gemms(request_.model, batch_tokens())) {
      add_all(bench_op(context_, "matmul", "gemm", {.gemm = shape}, result_.limits));
    }
  }

  void run_attention() {
    const model::GptConfig& model = request_.model;
    std::vector<check::AttentionSize> sizes = {{config().batch_size, model.block_size, model.n_head,
                                                model.kv_heads(), model.head_size(),
                                                model.has_window() ? model.attention_window : 0}};
    if (!request_.has_preset()) sizes.insert(sizes.begin(), check::AttentionSize{4, 256, 12, 12, 64, 0});
    for (const check::AttentionSize& size : sizes) {
      add_all(bench_op(context_, "attention", "attention", {.attention = size}, result_.limits));
    }
  }

  void run_ops() {
    check::Workload work;
    if (request_.has_preset()) {
      work.rows = batch_tokens();
      work.C = request_.model.n_embd;
      work.parameters = model::GptParams(request_.model).arena_elements();
    }
    for (const std::string_view op : timed_ops()) {
      if (!request_.wants("ops") && request_.what != op) continue;
      add_all(bench_op(context_, op, std::string(op), work, result_.limits));
    }
  }

  void run_step() {
    step_ = bench_step(context_, request_.model, config(), result_.limits);
    add({.bench = "step",
         .name = vkgpt::format("{} B{} T{} {}", request_.has_preset() ? request_.shape_name() : "model",
                               step_->batch_size, request_.model.block_size, dtype_name(step_->dtype)),
         .milliseconds = 1e3 * step_->step_seconds,
         .rate = step_->tokens_per_second,
         .unit = "tokens/s",
         .share = step_->mfu});
  }

  vk::Context& context_;
  const BenchRequest& request_;
  DeviceFigures result_;
  std::optional<StepTime> step_;
};

std::string step_text(const StepTime& step, const DeviceLimits& limits) {
  return vkgpt::format(
      "{}\ntrain step, batch {}: {:.1f} ms, {:.0f} tokens/s, {:.1f} GFLOP/s counting 6N + 12LCT: MFU {:.1f} "
      "% of "
      "the {:.0f} GFLOP/s measured here ({})\nhost {:.2f} % of the step; memory {}\n",
      kernel_time_table(step.kernels), step.batch_size, 1e3 * step.step_seconds, step.tokens_per_second,
      step.gflops, 100 * step.mfu, limits.peak(step.dtype), limits.peak_name(step.dtype),
      100 * step.host_share, format_bytes(step.device_bytes));
}

nlohmann::ordered_json step_json(const StepTime& step, const DeviceLimits& limits) {
  return {{"batch_size", step.batch_size},
          {"dtype", dtype_name(step.dtype)},
          {"ms", 1e3 * step.step_seconds},
          {"tokens_per_second", step.tokens_per_second},
          {"gflops", step.gflops},
          {"mfu", step.mfu},
          {"mfu_peak", limits.peak_name(step.dtype)},
          {"mfu_peak_gflops", limits.peak(step.dtype)},
          {"host_share", step.host_share},
          {"device_bytes", step.device_bytes},
          {"kernels", kernel_times_json(step.kernels)}};
}

/// All benchmarks of the device that `request` selects; prints its table and adds its record.
DeviceFigures bench_device(const BenchRequest& request, nlohmann::ordered_json& records) {
  vk::Context context(context_options(request.run));
  BenchRun bench(context, request);
  if (request.wants("start")) {
    for (Figure& figure : bench_start(request.run.device)) bench.add(std::move(figure));
  }
  bench.run_all();
  context.instance().check_messages();
  const DeviceFigures& figures = bench.figures();
  nlohmann::ordered_json record = figures_json(figures);
  if (bench.step()) record["step"] = step_json(*bench.step(), figures.limits);
  records.push_back(std::move(record));
  if (request.run.json) return figures;
  std::print("{} ({})\nlimits: {}\n\n{}", figures.device, figures.driver, limits_text(figures.limits),
             figure_table(figures.figures));
  if (bench.step()) std::print("\n{}", step_text(*bench.step(), figures.limits));
  return figures;
}

std::vector<std::string> usable_devices(const RunOptions& run) {
  const vk::Instance instance(vk::parse_validation_mode(run.validation));
  std::vector<std::string> selectors;
  const std::vector<vk::PhysicalDevice> devices = vk::enumerate_devices(instance);
  for (std::size_t i = 0; i < devices.size(); ++i) {
    if (devices[i].rejection.empty()) selectors.push_back(std::to_string(i));
  }
  return selectors;
}

}  // namespace

int run_bench(std::span<const std::string> args) {
  BenchRequest request;
  if (!request.parse(args)) return 0;
  install_interrupt_handlers();
  if (request.what == "first_step") {
    vk::Context context(context_options(request.run));
    run_first_step(context, request.model, request.config);
    return 0;
  }
  nlohmann::ordered_json records = nlohmann::ordered_json::array();
  if (!request.options.compare_devices) {
    bench_device(request, records);
    if (request.run.json) std::print("{}\n", records[0].dump(2));
    return 0;
  }
  std::vector<DeviceFigures> devices;
  for (const std::string& selector : usable_devices(request.run)) {
    request.run.device = selector;
    devices.push_back(bench_device(request, records));
    if (!request.run.json) std::print("\n");
  }
  if (devices.empty()) fail("no device can be used: 'vkgpt devices' says why");
  std::print("{}", request.run.json ? records.dump(2) + "\n" : comparison_table(devices));
  return 0;
}

}  // namespace vkgpt::cli
