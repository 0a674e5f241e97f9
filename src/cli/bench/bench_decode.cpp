#include <algorithm>
#include <chrono>
#include <cstdint>
#include <span>
#include <vector>

#include "vkgpt/core/error.hpp"
#include "vkgpt/core/format.hpp"
#include "vkgpt/core/interrupt.hpp"
#include "vkgpt/model/gpt_params.hpp"
#include "vkgpt/model/train_plan.hpp"
#include "vkgpt/text/generate/generator.hpp"

#include "cli/bench/bench.hpp"

namespace vkgpt::cli {
namespace {

constexpr std::int64_t kMostTokens = 256;
constexpr int kRuns = 5;

}  // namespace

std::vector<Figure> bench_decode(vk::Context& context, const model::GptConfig& model,
                                 const DeviceLimits& limits) {
  const model::GptParams params(model);
  plan::TensorStore store(context);
  text::Generator generator(context, store, params);
  const std::vector<float> weights = model::initial_parameters(params, 1);
  store.upload(model::tensor::kParams, std::as_bytes(std::span(weights)));
  const std::int64_t count = std::min(model.block_size, kMostTokens);
  const std::vector<text::Token> tokens(static_cast<std::size_t>(count));
  // Times of one token each; what comes first in a run, at an empty cache, is the cheapest.
  const auto run = [&] {
    const auto start = std::chrono::steady_clock::now();
    for (std::size_t n = 1; n <= tokens.size(); ++n) {
      if (interrupted()) throw Error("interrupted", ExitCode::kInterrupted);
      generator.decode(std::span(tokens).first(n));
    }
    return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count() /
           static_cast<double>(count);
  };
  run();
  std::vector<double> seconds(kRuns);
  std::ranges::generate(seconds, run);
  std::ranges::nth_element(seconds, seconds.begin() + kRuns / 2);
  const double token_seconds = seconds[kRuns / 2];
  const std::int64_t parameters = params.parameter_count();
  const plan::Cost cost{.flops = 2 * parameters, .bytes = 4 * parameters};
  return {{.bench = "decode",
           .name = vkgpt::format("{:.2f} M parameters f32, B1, positions 0 to {}",
                                 static_cast<double>(parameters) / 1e6, count - 1),
           .milliseconds = 1e3 * token_seconds,
           .rate = 1 / token_seconds,
           .unit = "tokens/s",
           .share = share_of_limit(cost, token_seconds, DType::kF32, limits)}};
}

}  // namespace vkgpt::cli
