#pragma once

#include <cstdint>
#include <functional>
#include <span>
#include <vector>

#include "vkgpt/model/gpt_params.hpp"
#include "vkgpt/plan/tensor_store.hpp"
#include "vkgpt/text/generate/batch.hpp"
#include "vkgpt/text/generate/decoder.hpp"
#include "vkgpt/text/generate/generate_config.hpp"
#include "vkgpt/text/generate/sampler.hpp"
#include "vkgpt/text/tokenizer/tokenizer.hpp"
#include "vkgpt/vk/context.hpp"

namespace vkgpt::text {

/// Continues texts, one or several at a time, and waits for them.
///
/// A position is part of what the cache holds, so a full context window cannot just roll: when it is full, a
/// quarter of it (at least one token) is dropped from its beginning and the rest is run again. With and
/// without the cache the model sees the same windows.
class Generator {
 public:
  /// Reserves memory in `store`; `context` and `store` outlive the generator. Only tokens below `vocab_size`,
  /// the tokenizer's, are drawn: a model may have more. 0 = all of the model's. Up to `options.slots` texts
  /// are continued together, with `adapter` where there is one.
  Generator(vk::Context& context, plan::TensorStore& store, const model::GptParams& params,
            std::int64_t vocab_size = 0, const model::DecodeOptions& options = {},
            const model::Adapter* adapter = nullptr);

  /// Builds and records everything now, so that generating allocates nothing on the device. Without it that
  /// happens when a length is first needed.
  void record() { decoder_.record(); }

  /// Called for each new token of a text; false ends it early.
  using OnToken = std::function<bool(Token)>;
  /// The same for each token of text number `sample`; `is_last` where max_new_tokens are reached.
  using OnSampleToken = std::function<bool(std::uint32_t sample, Token, bool is_last)>;

  /// The `max_new_tokens` tokens after `prompt` (not empty) in text number `sample`.
  std::vector<Token> generate(std::span<const Token> prompt, const GenerateConfig& config,
                              const SamplerConfig& sampling, std::uint32_t sample,
                              const OnToken& on_token = {});
  /// Texts number 0 to `config.num_samples` - 1, which are those of `generate`. Before one is begun
  /// `goes_on` is asked where there is one; once it is false no further text is begun.
  void generate_all(std::span<const Token> prompt, const GenerateConfig& config,
                    const SamplerConfig& sampling, const OnSampleToken& on_token,
                    const std::function<bool()>& goes_on = {});

  /// To be called when parameters have changed: the cache is of no use any more.
  void forget() { batch_.forget(); }

  /// Logits (V) of the token after `window` (1 to block_size tokens), all of which is run.
  std::span<const float> prefill(std::span<const Token> window);
  /// The same when all but the last token of `window` are in the cache.
  std::span<const float> decode(std::span<const Token> window);

 private:
  Continuation continuation(std::span<const Token> prompt, const GenerateConfig& config,
                            const SamplerConfig& sampling, std::uint32_t sample) const;

  Decoder decoder_;
  Batch batch_;
  std::int64_t texts_;
  std::int32_t adapter_;
};

}  // namespace vkgpt::text
