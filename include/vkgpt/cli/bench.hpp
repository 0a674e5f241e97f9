#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "vkgpt/core/dtype.hpp"
#include "vkgpt/model/gpt_config.hpp"
#include "vkgpt/train/train_config.hpp"
#include "vkgpt/vk/context.hpp"

namespace vkgpt::cli {

/// One matrix product, C (M,N) with K products a value, in one of its forms.
struct GemmTime {
  std::string form;  // "NN", "NT", "TN"
  std::int64_t m = 0, n = 0, k = 0;
  double gflops = 0;  // median
};

/// Times the three forms at M x N x K, with a barrier between products as in a step. `dtype` is that of the
/// matrices, but C of TN, a weight gradient, is f32.
std::vector<GemmTime> bench_gemm(vk::Context& context, std::int64_t m, std::int64_t n, std::int64_t k,
                                 DType dtype = DType::kF32);

struct KernelTime {
  std::string stem;
  int calls = 0;
  double milliseconds = 0;
  double gflops = 0;
  double gigabytes_per_second = 0;
};

struct StepTime {
  double step_seconds = 0;  // mean of replayed steps
  double tokens_per_second = 0;
  double gflops = 0;      // 6 N + 12 L C T per token
  double host_share = 0;  // processor time of the host thread per step, as a share of the step
  std::uint64_t device_bytes = 0;
  std::vector<KernelTime> kernels;  // of one eager step, the longest first
};

/// Times the replayed train step on random tokens.
StepTime bench_step(vk::Context& context, const model::GptConfig& model, const train::TrainConfig& config);

/// The first train step of a process, on random tokens: what `vkgpt bench start` times from outside.
void run_first_step(vk::Context& context, const model::GptConfig& model, const train::TrainConfig& config);

}  // namespace vkgpt::cli
