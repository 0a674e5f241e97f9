#include <algorithm>
#include <chrono>
#include <ctime>
#include <vector>

#include "vkgpt/model/train_plan.hpp"
#include "vkgpt/train/plan_options.hpp"

#include "cli/bench/bench.hpp"
#include "cli/bench/random_runner.hpp"

namespace vkgpt::cli {
namespace {

constexpr int kSteps = 7;

double thread_cpu_seconds() {
  timespec time{};
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time);
  return static_cast<double>(time.tv_sec) + 1e-9 * static_cast<double>(time.tv_nsec);
}

}  // namespace

void run_first_step(vk::Context& context, const model::GptConfig& model, const train::TrainConfig& config) {
  RandomRunner(context, model, config)->run_eager(0, config.learning_rate);
}

StepTime bench_step(vk::Context& context, const model::GptConfig& model, const train::TrainConfig& config,
                    const DeviceLimits& limits) {
  RandomRunner random(context, model, config);
  train::StepRunner& runner = *random;
  StepTime time;
  time.batch_size = config.batch_size;
  time.dtype = train::activation_dtype(config, context.caps());
  std::int64_t step = 0;
  runner.run_eager(step++, config.learning_rate);
  runner.run_eager(step++, config.learning_rate);  // the first one also warms the caches
  time.kernels = time_by_kernel(runner.eager_times(), time.dtype, limits);
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
  time.mfu = limits.peak(time.dtype) == 0 ? 0 : time.gflops / limits.peak(time.dtype);
  time.host_share = host_seconds / total;
  time.device_bytes = runner.store().allocated_bytes();
  return time;
}

}  // namespace vkgpt::cli
