#include "vkgpt/text/generate/generator.hpp"

#include <algorithm>
#include <map>

#include "vkgpt/core/check.hpp"
#include "vkgpt/core/error.hpp"

namespace vkgpt::text {
Generator::Generator(vk::Context& context, plan::TensorStore& store, const model::GptParams& params,
                     std::int64_t vocab_size, const model::DecodeOptions& options,
                     const model::Adapter* adapter)
    : decoder_(context, store, params, options, std::span(adapter, adapter == nullptr ? 0 : 1)),
      batch_(decoder_, vocab_size),
      texts_(options.slots),
      adapter_(adapter == nullptr ? -1 : 0) {}

Continuation Generator::continuation(std::span<const Token> prompt, const GenerateConfig& config,
                                     const SamplerConfig& sampling, std::uint32_t sample) const {
  return {.prompt = {prompt.begin(), prompt.end()},
          .sampling = sampling,
          .seed = config.seed,
          .sample = sample,
          .adapter = adapter_,
          .max_new_tokens = config.max_new_tokens,
          .slides = true,
          .keeps_cache = config.kv_cache};
}

std::vector<Token> Generator::generate(std::span<const Token> prompt, const GenerateConfig& config,
                                       const SamplerConfig& sampling, std::uint32_t sample,
                                       const OnToken& on_token) {
  const std::uint64_t id = batch_.add(continuation(prompt, config, sampling, sample));
  struct Leaving {  // also where on_token throws: the next text would get this one's tokens
    Batch& batch;
    std::uint64_t id;
    ~Leaving() { batch.remove(id); }
  };
  const Leaving leaving{batch_, id};
  std::vector<Token> text;
  while (!batch_.is_empty()) {
    for (const DrawnToken& drawn : batch_.step()) {
      if (!drawn.error.empty()) throw Error(drawn.error);
      text.push_back(drawn.token);
      if (on_token && !on_token(drawn.token)) batch_.remove(id);
    }
  }
  return text;
}

void Generator::generate_all(std::span<const Token> prompt, const GenerateConfig& config,
                             const SamplerConfig& sampling, const OnSampleToken& on_token,
                             const std::function<bool()>& goes_on) {
  auto count = static_cast<std::uint32_t>(config.num_samples);
  std::map<std::uint64_t, std::uint32_t> samples;
  for (std::uint32_t next = 0; next < count || !batch_.is_empty();) {
    while (next < count && batch_.running() + batch_.waiting() < static_cast<std::size_t>(texts_)) {
      if (goes_on && !goes_on()) {
        count = next;
        break;
      }
      samples[batch_.add(continuation(prompt, config, sampling, next))] = next;
      ++next;
    }
    for (const DrawnToken& drawn : batch_.step()) {
      if (!drawn.error.empty()) throw Error(drawn.error);
      if (!on_token(samples.at(drawn.id), drawn.token, drawn.is_last)) batch_.remove(drawn.id);
    }
  }
}

std::span<const float> Generator::prefill(std::span<const Token> window) {
  VKGPT_CHECK(!window.empty());
  forget();
  for (std::size_t at = 0; at < window.size(); at += decoder_.longest_run()) {
    decoder_.run(window.subspan(at, std::min(decoder_.longest_run(), window.size() - at)),
                 static_cast<std::int32_t>(at), 0, adapter_);
  }
  return decoder_.logits(0);
}

std::span<const float> Generator::decode(std::span<const Token> window) {
  forget();
  const DecodeRow row{window.back(), static_cast<std::int32_t>(window.size() - 1), 0, adapter_};
  decoder_.step({&row, 1});
  return decoder_.logits(0);
}

}  // namespace vkgpt::text
