#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "vkgpt/check/op_table.hpp"
#include "vkgpt/core/dtype.hpp"
#include "vkgpt/model/gpt_config.hpp"
#include "vkgpt/train/train_config.hpp"
#include "vkgpt/vk/context.hpp"

#include "cli/bench/bench_figure.hpp"
#include "cli/bench/kernel_times.hpp"

namespace vkgpt::cli {

/// Copy bandwidth and peaks, measured in a second or so.
DeviceLimits measure_limits(vk::Context& context);

/// Each timed case of `op` in src/check, by every backend that the device has for it, with a barrier between
/// its repetitions as in a step. `bench` is its name in the figures.
std::vector<Figure> bench_op(vk::Context& context, std::string_view op, const std::string& bench,
                             const check::Workload& work, const DeviceLimits& limits);

/// The three forms of a square product.
std::vector<check::GemmShape> square_gemms(std::int64_t size);
/// The three of each linear layer of a model over `rows` tokens, those of the head over no more than it works
/// on at once.
std::vector<check::GemmShape> model_gemms(const model::GptConfig& model, std::int64_t rows);

/// Decoding of one sequence, token by token, with fresh weights.
std::vector<Figure> bench_decode(vk::Context& context, const model::GptConfig& model,
                                 const DeviceLimits& limits);

struct StepTime {
  std::int64_t batch_size = 0;
  double step_seconds = 0;  // mean of replayed steps
  double tokens_per_second = 0;
  double gflops = 0;          // 6 N + 12 L C T per token
  DType dtype = DType::kF32;  // of activations and matrix products
  double mfu = 0;             // those as a share of the measured peak for `dtype`
  double host_share = 0;      // processor time of the host thread per step, as a share of the step
  std::uint64_t device_bytes = 0;
  std::vector<KernelTime> kernels;  // of one eager step
};

/// Times the replayed train step on random tokens.
StepTime bench_step(vk::Context& context, const model::GptConfig& model, const train::TrainConfig& config,
                    const DeviceLimits& limits);

/// Seconds from the start of a process to the end of its first step, with caches empty and warm. `device`
/// selects the device.
std::vector<Figure> bench_start(const std::string& device);
/// The first train step of a process, on random tokens: what `bench_start` times from outside.
void run_first_step(vk::Context& context, const model::GptConfig& model, const train::TrainConfig& config);

}  // namespace vkgpt::cli
