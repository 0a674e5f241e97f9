#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string_view>

#include "vkgpt/model/decode_plan.hpp"
#include "vkgpt/model/gpt_config.hpp"
#include "vkgpt/model/gpt_params.hpp"
#include "vkgpt/ops/sample.hpp"
#include "vkgpt/plan/executor.hpp"
#include "vkgpt/plan/tensor_store.hpp"
#include "vkgpt/text/tokenizer/token.hpp"
#include "vkgpt/vk/context.hpp"

namespace vkgpt::text {

/// The newest token of a sequence, at `position` of those that are kept in `slot`.
struct DecodeRow {
  Token token = 0;
  std::int32_t position = 0;
  std::int32_t slot = 0;
  std::int32_t adapter = -1;  // of those that the decoder has; -1: none
  /// Where the decoder draws: how the next token is drawn. Without it the host gets the logits.
  std::optional<ops::SampleControl> draw = {};
};

/// Runs tokens through the model whose parameters are in a tensor store (`model::upload_decode_params`). A
/// token's logits have the same bits whatever is run beside it and however its sequence was cut into runs. On
/// CPU drivers they also have the same bits however its sequence came into the cache; on GPUs runs and steps
/// have different kernels, so that they depend on which of the tokens came by a step.
class Decoder {
 public:
  /// Reserves memory in `store`; `context` and `store` outlive the decoder. `target`, where given, is planned
  /// for in place of the device, so that other paths are taken.
  Decoder(vk::Context& context, plan::TensorStore& store, const model::GptParams& params,
          const model::DecodeOptions& options = {}, std::span<const model::Adapter> adapters = {},
          const vk::Target* target = nullptr);

  /// Builds and records everything now, so that running allocates nothing on the device. Without it that
  /// happens when a number of rows is first needed.
  void record();

  const model::GptConfig& config() const { return config_; }
  const model::DecodeOptions& options() const { return options_; }
  /// Whether a token has other bits when it comes by a run than when it comes by a step.
  bool runs_differ() const { return runs_differ_; }
  /// The tokens that `run` takes at most.
  std::size_t longest_run() const;

  /// One token of each of several sequences, in different slots, at most `model::decode::kMostRows`. What is
  /// given is good until the next call: row r's logits are `logits(r)`, or its next token is `drawn(r)`.
  void step(std::span<const DecodeRow> rows);
  /// Neighbouring tokens of one sequence, the first at `position`; `logits(0)` are those of the last, or
  /// `drawn(0)` is the token after it, by `draw`.
  void run(std::span<const Token> tokens, std::int32_t position, std::int32_t slot, std::int32_t adapter = -1,
           const std::optional<ops::SampleControl>& draw = {});

  /// Whether the device draws tokens; else rows' `draw` is without meaning and all logits come to the host.
  bool draws() const { return draws_; }
  /// (V), of a row without `draw`.
  std::span<const float> logits(std::size_t row) const;
  /// Of a row with `draw`.
  ops::Sampled drawn(std::size_t row) const;

 private:
  std::int64_t fill(std::span<const std::int64_t> counts, std::span<const DecodeRow> rows);
  void submit(std::string_view segment, std::uint32_t token_count,
              std::span<const std::optional<ops::SampleControl>> draws);

  vk::Context& context_;
  plan::TensorStore& store_;
  model::GptConfig config_;
  model::DecodeOptions options_;
  plan::Executor executor_;
  plan::SlotRing ring_;
  std::int32_t adapters_;
  bool runs_differ_;
  bool draws_;
  bool has_logits_ = false;  // on the host
  int slot_ = 0;             // of uploads and readbacks
};

}  // namespace vkgpt::text
