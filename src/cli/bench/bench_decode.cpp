#include <algorithm>
#include <chrono>
#include <cstdint>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "vkgpt/core/error.hpp"
#include "vkgpt/core/format.hpp"
#include "vkgpt/core/interrupt.hpp"
#include "vkgpt/model/decode_plan.hpp"
#include "vkgpt/model/gpt_params.hpp"
#include "vkgpt/model/held_weights.hpp"
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

/// Bytes of the parameters as the device holds them.
std::int64_t bytes_of(const model::GptParams& params, const model::DecodeOptions& options) {
  double bytes = 0;
  for (const model::ParamSpec& spec : params.specs()) {
    const auto count = static_cast<double>(spec.numel());
    const auto blocks = model::block_type_of(spec, options.blocks);
    if (!blocks) {
      bytes += 4 * count;
      continue;
    }
    const BlockFormat& format = block_format(*blocks);
    bytes += count * (4.0 / static_cast<double>(format.per_word) +
                      static_cast<double>(format.scale_bytes) / static_cast<double>(format.values));
  }
  return static_cast<std::int64_t>(bytes);
}

bool has_whole_blocks(const model::GptConfig& config) {
  return config.n_embd % 64 == 0 && config.inner_width() % 64 == 0 && config.attention_width() % 64 == 0;
}

/// Decoding by weights of one type.
std::vector<Figure> bench_type(vk::Context& context, const model::GptParams& params,
                               std::span<const float> arena, const std::string& dtype,
                               const DeviceLimits& limits) {
  const model::GptConfig& config = params.config();
  const model::DecodeOptions options = model::decode_options(dtype, model::decode::kMostRows);
  plan::TensorStore store(context);
  text::Decoder decoder(context, store, params, options);
  model::upload_decode_params(store, params, model::ArenaSource(params, arena), options);
  const std::int64_t held = bytes_of(params, options);
  const auto count = static_cast<std::size_t>(config.block_size);
  const std::int64_t parameters = params.parameter_count();
  std::vector<Figure> figures;
  const auto add = [&](const std::string& what, double seconds, std::int64_t tokens, std::int64_t readings) {
    const plan::Cost cost{.flops = 2 * parameters * tokens, .bytes = held * readings};
    figures.push_back({.bench = "decode",
                       .name = vkgpt::format("{:.2f} M parameters {}, {}",
                                             static_cast<double>(parameters) / 1e6, dtype, what),
                       .milliseconds = 1e3 * seconds / static_cast<double>(readings),
                       .rate = static_cast<double>(tokens) / seconds,
                       .unit = "tokens/s",
                       .share = share_of_limit(cost, seconds, DType::kF32, limits)});
  };
  const ops::SampleControl draw{.tokens = static_cast<std::uint32_t>(config.vocab_size)};  // the likeliest
  // Steps of one token each; those at an empty cache are the cheapest.
  for (const std::int64_t rows : {1, 8, 16}) {
    const double seconds = median_seconds([&] {
      std::vector<text::DecodeRow> step(static_cast<std::size_t>(rows));
      for (std::size_t r = 0; r < step.size(); ++r) {
        step[r].slot = static_cast<std::int32_t>(r);
        step[r].draw = draw;
      }
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
    decoder.run(prompt, 0, 0, -1, draw);
  });
  add(vkgpt::format("a prompt of {}", prompt.size()), seconds, static_cast<std::int64_t>(prompt.size()), 1);
  return figures;
}

}  // namespace

std::vector<Figure> bench_decode(vk::Context& context, const model::GptConfig& model,
                                 const DeviceLimits& limits) {
  model::GptConfig config = model;
  config.block_size = std::min(config.block_size, kMostTokens);
  const model::GptParams params(config);
  const std::vector<float> arena = model::initial_parameters(params, 1);
  std::vector<std::string> types = {"f32"};
  if (has_whole_blocks(config)) types.insert(types.end(), {"q8_0", "q4_0", "nf4"});
  std::vector<Figure> figures;
  for (const std::string& dtype : types) {
    for (Figure& figure : bench_type(context, params, arena, dtype, limits)) {
      figures.push_back(std::move(figure));
    }
  }
  return figures;
}

}  // namespace vkgpt::cli
