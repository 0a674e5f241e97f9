#pragma once

#include <cstdint>
#include <functional>
#include <span>
#include <vector>

#include "vkgpt/model/gpt_config.hpp"
#include "vkgpt/model/gpt_params.hpp"
#include "vkgpt/plan/executor.hpp"
#include "vkgpt/plan/tensor_store.hpp"
#include "vkgpt/text/generate/generate_config.hpp"
#include "vkgpt/text/generate/sampler.hpp"
#include "vkgpt/text/tokenizer/tokenizer.hpp"
#include "vkgpt/vk/context.hpp"

namespace vkgpt::text {

/// Continues token sequences with the model whose parameters are in a tensor store. Prefill and decode are
/// recorded once and replayed.
///
/// A position is part of what the cache holds, so a full context window cannot just roll: when it is full, a
/// quarter of it (at least one token) is dropped from its beginning and the rest runs through the prefill
/// again. With and without the cache the model sees the same windows.
class Generator {
 public:
  /// Reserves memory in `store`; `context` and `store` outlive the generator. Only tokens below `vocab_size`,
  /// the tokenizer's, are drawn: a model may have more. 0 = all of the model's.
  Generator(vk::Context& context, plan::TensorStore& store, const model::GptParams& params,
            std::int64_t vocab_size = 0);

  /// Builds and records everything now, so that generating allocates nothing on the device. Without it that
  /// happens when a length is first needed.
  void record();

  /// Called for each new token of a text; false ends it early.
  using OnToken = std::function<bool(Token)>;

  /// The `max_new_tokens` tokens after `prompt` (not empty) in text number `sample`.
  std::vector<Token> generate(std::span<const Token> prompt, const GenerateConfig& config,
                              const SamplerConfig& sampling, std::uint32_t sample,
                              const OnToken& on_token = {});

  /// Logits (V) of the token after `window` (1 to block_size tokens) by a prefill of all of it.
  std::span<const float> prefill(std::span<const Token> window);
  /// The same when all but the last token of `window` are in the cache.
  std::span<const float> decode(std::span<const Token> window);

 private:
  std::span<const float> run(std::string_view segment, int slot, std::uint32_t position,
                             std::uint32_t token_count);

  vk::Context& context_;
  plan::TensorStore& store_;
  model::GptConfig config_;
  std::size_t drawn_;  // tokens from 0 that may be drawn
  plan::Executor executor_;
  plan::SlotRing ring_;
};

}  // namespace vkgpt::text
