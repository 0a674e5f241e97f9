#include <algorithm>
#include <chrono>
#include <cstdint>
#include <string>
#include <vector>

#include "vkgpt/core/error.hpp"
#include "vkgpt/core/format.hpp"
#include "vkgpt/core/interrupt.hpp"
#include "vkgpt/model/decode_plan.hpp"
#include "vkgpt/model/gpt_params.hpp"
#include "vkgpt/text/generate/decoder.hpp"

#include "cli/bench/bench.hpp"

namespace vkgpt::cli {
namespace {

constexpr std::int64_t kMostTokens = 256;
constexpr int kRuns = 5;

/// Median seconds of `run`, which is called once more before.
template <typename Run>
double median_seconds(Run&& run) {
  std::vector<double> seconds;
  for (int i = 0; i <= kRuns; ++i) {
    const auto start = std::chrono::steady_clock::now();
    run();
    if (i > 0)
      seconds.push_back(std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count());
  }
  std::ranges::nth_element(seconds, seconds.begin() + kRuns / 2);
  return seconds[kRuns / 2];
}

void check_interrupt() {
  if (interrupted()) throw Error("interrupted", ExitCode::kInterrupted);
}

}  // namespace

std::vector<Figure> bench_decode(vk::Context& context, const model::GptConfig& model,
                                 const DeviceLimits& limits) {
  model::GptConfig config = model;
  config.block_size = std::min(config.block_size, kMostTokens);
  const model::GptParams params(config);
  plan::TensorStore store(context);
  text::Decoder decoder(context, store, params, {.slots = model::decode::kMostRows});
  model::upload_decode_params(store, params, model::initial_parameters(params, 1));
  const auto count = static_cast<std::size_t>(config.block_size);
  const std::int64_t parameters = params.parameter_count();
  std::vector<Figure> figures;
  const auto add = [&](const std::string& what, double seconds, std::int64_t tokens, std::int64_t readings) {
    const plan::Cost cost{.flops = 2 * parameters * tokens, .bytes = 4 * parameters * readings};
    figures.push_back(
        {.bench = "decode",
         .name = vkgpt::format("{:.2f} M parameters f32, {}", static_cast<double>(parameters) / 1e6, what),
         .milliseconds = 1e3 * seconds / static_cast<double>(readings),
         .rate = static_cast<double>(tokens) / seconds,
         .unit = "tokens/s",
         .share = share_of_limit(cost, seconds, DType::kF32, limits)});
  };
  // Steps of one token each; those at an empty cache are the cheapest.
  for (const std::int64_t rows : {1, 8, 16}) {
    const double seconds = median_seconds([&] {
      std::vector<text::DecodeRow> step(static_cast<std::size_t>(rows));
      for (std::size_t r = 0; r < step.size(); ++r) step[r].slot = static_cast<std::int32_t>(r);
      for (std::size_t n = 0; n < count; ++n) {
        check_interrupt();
        decoder.step(step);
        for (text::DecodeRow& row : step) ++row.position;
      }
    });
    add(vkgpt::format("B{}, positions 0 to {}", rows, count - 1), seconds, rows * config.block_size,
        config.block_size);
  }
  const std::vector<text::Token> prompt(std::min(count, decoder.longest_run()));
  const double seconds = median_seconds([&] {
    check_interrupt();
    decoder.run(prompt, 0, 0);
  });
  add(vkgpt::format("a prompt of {}", prompt.size()), seconds, static_cast<std::int64_t>(prompt.size()), 1);
  return figures;
}

}  // namespace vkgpt::cli
