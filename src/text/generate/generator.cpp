#include "vkgpt/text/generate/generator.hpp"

#include <algorithm>
#include <cstring>
#include <string>
#include <utility>

#include "vkgpt/core/check.hpp"
#include "vkgpt/model/decode_plan.hpp"
#include "vkgpt/model/train_plan.hpp"
#include "vkgpt/ops/step_params.hpp"
#include "vkgpt/plan/schedule.hpp"

namespace vkgpt::text {

Generator::Generator(vk::Context& context, plan::TensorStore& store, const model::GptParams& params,
                     std::int64_t vocab_size)
    : context_(context),
      store_(store),
      config_(params.config()),
      drawn_(static_cast<std::size_t>(vocab_size == 0 ? config_.vocab_size : vocab_size)),
      executor_(context, store,
                plan::make_schedule(model::build_decode_plan(params, context.target()), context.caps())),
      ring_(context.queue()) {
  VKGPT_CHECK(std::cmp_less_equal(drawn_, config_.vocab_size), "{} tokens", drawn_);
}

void Generator::record() {
  executor_.build_pipelines();
  for (const plan::Segment& segment : executor_.schedule().plan.segments) executor_.record(segment.name);
}

std::vector<Token> Generator::generate(std::span<const Token> prompt, const GenerateConfig& config,
                                       const SamplerConfig& sampling, std::uint32_t sample,
                                       const OnToken& on_token) {
  VKGPT_CHECK(!prompt.empty());
  const auto block_size = static_cast<std::size_t>(config_.block_size);
  const std::size_t hop = std::max<std::size_t>(1, block_size / 4);
  Sampler sampler(sampling, config.seed, sample);
  std::vector<Token> text(prompt.begin(), prompt.end());
  std::size_t window_begin = text.size() > block_size ? text.size() - block_size : 0;
  bool cached = false;  // all of the window but its last token
  while (text.size() < prompt.size() + static_cast<std::size_t>(config.max_new_tokens)) {
    if (text.size() - window_begin > block_size) {
      window_begin += hop;
      cached = false;
    }
    const auto window = std::span(text).subspan(window_begin);
    const std::span<const float> logits = cached ? decode(window) : prefill(window);
    cached = config.kv_cache;
    const Token token = sampler.draw(logits.first(drawn_), text, static_cast<std::uint32_t>(text.size()));
    text.push_back(token);
    if (on_token && !on_token(token)) break;
  }
  text.erase(text.begin(), text.begin() + static_cast<std::ptrdiff_t>(prompt.size()));
  return text;
}

std::span<const float> Generator::prefill(std::span<const Token> window) {
  const std::vector<std::int64_t> lengths = model::decode::prefill_lengths(config_);
  const auto length = std::ranges::lower_bound(lengths, static_cast<std::int64_t>(window.size()));
  VKGPT_CHECK(!window.empty() && length != lengths.end(), "{} tokens", window.size());
  const int slot = ring_.acquire();
  const auto tokens = store_.upload_slot<Token>(model::decode::prefill_tokens(*length), slot);
  std::fill(std::ranges::copy(window, tokens.begin()).out, tokens.end(), Token{0});
  return run(model::decode::prefill_segment(*length), slot, 0, static_cast<std::uint32_t>(window.size()));
}

std::span<const float> Generator::decode(std::span<const Token> window) {
  const int slot = ring_.acquire();
  store_.upload_slot<Token>(model::decode::kToken, slot)[0] = window.back();
  return run(model::decode::kSegment, slot, static_cast<std::uint32_t>(window.size() - 1), 0);
}

std::span<const float> Generator::run(std::string_view segment, int slot, std::uint32_t position,
                                      std::uint32_t token_count) {
  ops::StepParams params;
  params.position = position;
  params.token_count = token_count;
  std::memcpy(store_.upload_slot<std::byte>(model::tensor::kStepParams, slot).data(), &params,
              sizeof(params));
  const std::uint64_t value = executor_.submit(segment, slot);
  ring_.submitted(value);
  context_.queue().wait(value);
  return store_.readback_slot<float>(model::decode::kLogits, slot)
      .first(static_cast<std::size_t>(config_.vocab_size));
}

}  // namespace vkgpt::text
