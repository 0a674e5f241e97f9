#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "vkgpt/core/dtype.hpp"
#include "vkgpt/model/gpt_config.hpp"
#include "vkgpt/train/train_config.hpp"
#include "vkgpt/vk/context.hpp"

#include "cli/bench/bench_figure.hpp"
#include "cli/bench/kernel_times.hpp"

namespace vkgpt::cli {

/// Copy bandwidth and peaks, measured in a second or so.
DeviceLimits measure_limits(vk::Context& context);

/// A matrix product C (M, N) with K products a value: "nt" is a linear layer's forward, "nn" the gradient of
/// its input, "tn" that of its weight.
struct GemmShape {
  std::string form;
  std::int64_t m = 0, n = 0, k = 0;

  friend bool operator==(const GemmShape&, const GemmShape&) = default;
};

/// The three forms of a square product.
std::vector<GemmShape> square_gemms(std::int64_t size);
/// The three of each linear layer of a model over `rows` tokens, those of the head over no more than it works
/// on at once.
std::vector<GemmShape> model_gemms(const model::GptConfig& model, std::int64_t rows);

/// Each shape by every backend that the device has for `dtype`, with a barrier between products as in a step.
/// `dtype` is that of the matrices, but C of "tn", a weight gradient, is f32.
std::vector<Figure> bench_gemm(vk::Context& context, const GemmShape& shape, DType dtype,
                               const DeviceLimits& limits);

struct AttentionSize {
  std::int64_t B = 0, T = 0, n_head = 0, n_kv_head = 0, HS = 0, window = 0;

  friend bool operator==(const AttentionSize&, const AttentionSize&) = default;
};

/// Forward and backward by every backend that the device has for `dtype`. Causal operations count once: two
/// products of (T, T, HS) in halves a head forward, five backward.
std::vector<Figure> bench_attention(vk::Context& context, const AttentionSize& size, DType dtype,
                                    const DeviceLimits& limits);

/// LayerNorm and RMSNorm over `rows` rows of `C`.
std::vector<Figure> bench_norm(vk::Context& context, std::int64_t rows, std::int64_t C,
                               const DeviceLimits& limits);

/// Each optimizer, and the norm of the gradients, over `elements` parameters.
std::vector<Figure> bench_optimizer(vk::Context& context, std::int64_t elements, const DeviceLimits& limits);

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
