#include <chrono>
#include <cstdlib>
#include <filesystem>
#include <format>
#include <print>
#include <string>

#include <nlohmann/json.hpp>

#include "vkgpt/cli/bench.hpp"
#include "vkgpt/cli/command_line.hpp"
#include "vkgpt/cli/commands.hpp"
#include "vkgpt/cli/presets.hpp"
#include "vkgpt/cli/process.hpp"
#include "vkgpt/cli/run_options.hpp"
#include "vkgpt/core/error.hpp"
#include "vkgpt/core/units.hpp"
#include "vkgpt/model/train_plan.hpp"

namespace vkgpt::cli {
namespace {

constexpr std::int64_t kGemmSize = 768;
constexpr std::int64_t kVocabSize = 65;  // tiny shakespeare's characters

void print_gemm(vk::Context& context, nlohmann::ordered_json& record) {
  for (const DType dtype : {DType::kF32, DType::kF16, DType::kBF16}) {
    if (dtype != DType::kF32 && !context.caps().storage_16bit) continue;
    const std::string key = dtype == DType::kF32 ? "gemm" : std::format("gemm_{}", dtype_name(dtype));
    for (const GemmTime& time : bench_gemm(context, kGemmSize, kGemmSize, kGemmSize, dtype)) {
      record[key][time.form] = time.gflops;
      std::print(stderr, "gemm {} {} {}x{}x{}: {:.1f} GFLOP/s\n", dtype_name(dtype), time.form, time.m,
                 time.n, time.k, time.gflops);
    }
  }
}

void print_step(vk::Context& context, const model::GptConfig& model, const train::TrainConfig& config,
                nlohmann::ordered_json& record) {
  const StepTime time = bench_step(context, model, config);
  nlohmann::ordered_json kernels = nlohmann::ordered_json::array();
  std::print(stderr, "{:<32} {:>6} {:>10} {:>9} {:>8}\n", "kernel (one step)", "calls", "ms", "GFLOP/s",
             "GB/s");
  for (const KernelTime& kernel : time.kernels) {
    std::print(stderr, "{:<32} {:>6} {:>10.2f} {:>9.1f} {:>8.1f}\n", kernel.stem, kernel.calls,
               kernel.milliseconds, kernel.gflops, kernel.gigabytes_per_second);
    kernels.push_back({{"kernel", kernel.stem},
                       {"calls", kernel.calls},
                       {"ms", kernel.milliseconds},
                       {"gflops", kernel.gflops},
                       {"gbytes_per_second", kernel.gigabytes_per_second}});
  }
  std::print(
      stderr,
      "train step, batch {}: {:.1f} ms, {:.0f} tokens/s, {:.1f} GFLOP/s by 6N + 12LCT; host {:.2f}% of the "
      "step; {}\n",
      config.batch_size, 1e3 * time.step_seconds, time.tokens_per_second, time.gflops, 100 * time.host_share,
      format_bytes(time.device_bytes));
  record["step"] = {{"batch_size", config.batch_size},
                    {"ms", 1e3 * time.step_seconds},
                    {"tokens_per_second", time.tokens_per_second},
                    {"gflops", time.gflops},
                    {"host_share", time.host_share},
                    {"device_bytes", time.device_bytes},
                    {"kernels", kernels}};
}

void print_start(const RunOptions& run, nlohmann::ordered_json& record) {
  const auto directory = std::filesystem::temp_directory_path() / std::format("vkgpt-bench-{}", std::rand());
  std::filesystem::create_directories(directory);
  for (const char* caches : {"empty", "warm"}) {
    const auto start = std::chrono::steady_clock::now();
    const auto code = run_process({"env", "XDG_CACHE_HOME=" + directory.string(),
                                   std::filesystem::read_symlink("/proc/self/exe").string(), "bench",
                                   "first_step", "--device", run.device});
    const double seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
    if (code != 0) {
      std::filesystem::remove_all(directory);
      fail("the process that bench started to time its first step failed");
    }
    record["first_step_seconds"][caches] = seconds;
    std::print(stderr, "first step, {} caches: {:.2f} s from process start\n", caches, seconds);
  }
  std::filesystem::remove_all(directory);
}

}  // namespace

int run_bench(std::span<const std::string> args) {
  model::GptConfig model;
  train::TrainConfig config;
  PresetOptions preset;
  RunOptions run;
  config.batch_size = 16;
  CommandLine command("bench", "Times this device: matrix products, the train step, the start of a run.",
                      "[gemm|step|start|all]");
  command.add(preset).add(model).add(config).add(run);
  if (!command.parse(args)) return 0;
  const std::vector<std::string>& words = command.positionals();
  if (words.size() > 1) fail_usage("expected one of gemm, step, start, all");
  const std::string what = words.empty() ? "all" : words[0];
  if (what != "gemm" && what != "step" && what != "start" && what != "all" && what != "first_step") {
    fail_usage("unknown benchmark '{}': expected gemm, step, start or all", what);
  }
  model.vocab_size = preset.preset.empty() ? kVocabSize : find_preset(preset.preset).vocab_size;
  model.validate();
  config.validate();

  nlohmann::ordered_json record;
  if (what == "start" || what == "all") print_start(run, record);
  if (what != "start") {
    vk::Context context(context_options(run));
    record["device"] = context.caps().name;
    record["driver"] = context.caps().driver;
    std::print(stderr, "device: {} ({})\n", context.caps().name, context.caps().driver);
    if (what == "first_step") run_first_step(context, model, config);
    if (what == "gemm" || what == "all") print_gemm(context, record);
    if (what == "step" || what == "all") print_step(context, model, config, record);
    context.instance().check_messages();
  }
  if (run.json) std::print("{}\n", record.dump(2));
  return 0;
}

}  // namespace vkgpt::cli
