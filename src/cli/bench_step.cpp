#include <algorithm>
#include <chrono>
#include <ctime>
#include <map>

#include "vkgpt/cli/bench.hpp"
#include "vkgpt/core/rng.hpp"
#include "vkgpt/model/gpt_params.hpp"
#include "vkgpt/model/train_plan.hpp"
#include "vkgpt/train/step_runner.hpp"

namespace vkgpt::cli {
namespace {

constexpr int kSteps = 7;

double thread_cpu_seconds() {
  timespec time{};
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time);
  return static_cast<double>(time.tv_sec) + 1e-9 * static_cast<double>(time.tv_nsec);
}

std::vector<KernelTime> by_kernel(const std::vector<plan::DispatchTime>& dispatches) {
  struct Sum {
    int calls = 0;
    double nanoseconds = 0, flops = 0, bytes = 0;
  };
  std::map<std::string, Sum> sums;
  for (const plan::DispatchTime& dispatch : dispatches) {
    Sum& sum = sums[dispatch.stem];
    ++sum.calls;
    sum.nanoseconds += dispatch.nanoseconds;
    sum.flops += static_cast<double>(dispatch.cost.flops);
    sum.bytes += static_cast<double>(dispatch.cost.bytes);
  }
  std::vector<KernelTime> kernels;
  for (const auto& [stem, sum] : sums) {
    kernels.push_back(
        {stem, sum.calls, sum.nanoseconds / 1e6, sum.flops / sum.nanoseconds, sum.bytes / sum.nanoseconds});
  }
  std::ranges::sort(kernels, std::greater{}, &KernelTime::milliseconds);
  return kernels;
}

/// A step runner with fresh weights on random tokens.
class Bench {
 public:
  Bench(vk::Context& context, const model::GptConfig& model, const train::TrainConfig& config)
      : tokens_(random_tokens(model, config.seed)),
        loader_(std::span<const std::int32_t>(tokens_), std::span<const std::int32_t>(tokens_),
                model.block_size, config.seed),
        runner_(context, model, config, loader_, [] { return true; }) {
    runner_.set_parameters(model::initial_parameters(runner_.params(), config.seed));
  }

  train::StepRunner& runner() { return runner_; }

 private:
  static std::vector<std::int32_t> random_tokens(const model::GptConfig& model, std::uint64_t seed) {
    std::vector<std::int32_t> tokens(static_cast<std::size_t>(64 * model.block_size));
    RngReader random({.seed = seed, .purpose = RngPurpose::kTrainData});
    for (std::int32_t& token : tokens) {
      token = static_cast<std::int32_t>(random.below(static_cast<std::uint64_t>(model.vocab_size)));
    }
    return tokens;
  }

  std::vector<std::int32_t> tokens_;
  train::DataLoader loader_;
  train::StepRunner runner_;
};

}  // namespace

void run_first_step(vk::Context& context, const model::GptConfig& model, const train::TrainConfig& config) {
  Bench(context, model, config).runner().run_eager(0, config.learning_rate);
}

StepTime bench_step(vk::Context& context, const model::GptConfig& model, const train::TrainConfig& config) {
  Bench bench(context, model, config);
  train::StepRunner& runner = bench.runner();
  StepTime time;
  std::int64_t step = 0;
  runner.run_eager(step++, config.learning_rate);
  runner.run_eager(step++, config.learning_rate);  // the first one also warms the caches
  time.kernels = by_kernel(runner.eager_times());
  for (int i = 0; i < 2; ++i) runner.submit(step++, config.learning_rate);
  runner.drain();

  using Clock = std::chrono::steady_clock;
  const double host_start = thread_cpu_seconds();
  const auto start = Clock::now();
  for (int i = 0; i < kSteps; ++i) runner.submit(step++, config.learning_rate);
  const double host_seconds = thread_cpu_seconds() - host_start;
  runner.drain();
  const double total = std::chrono::duration<double>(Clock::now() - start).count();
  time.step_seconds = total / kSteps;
  const auto step_tokens =
      static_cast<double>(config.batch_size * config.grad_accum_steps * model.block_size);
  time.tokens_per_second = step_tokens / time.step_seconds;
  time.gflops = model::train_flops_per_token(model) * time.tokens_per_second / 1e9;
  time.host_share = host_seconds / total;
  time.device_bytes = runner.store().allocated_bytes();
  return time;
}

}  // namespace vkgpt::cli
