#pragma once

#include <optional>

#include "vkgpt/ops/attention/attention.hpp"

#include "model/gpt_block.hpp"

namespace vkgpt::model {

/// Attention of a batch of B sequences of T tokens: each sequence, or each document in it, to itself.
struct BatchAttention {
  const GptConfig& config;
  std::int64_t B = 1;
  std::int64_t T = 1;
  std::optional<ops::Documents> documents = {};  // (B, T) each

  /// Positions by document; without documents a token's position is its column.
  std::optional<plan::Tensor> positions() const {
    return documents ? std::optional(documents->positions) : std::nullopt;
  }
};

/// The forward for a block with `options`. `batch` and `options` are copied; the config they name must live
/// on.
Attend attend(const BatchAttention& batch, const BlockOptions& options);
/// The backward of what `attend` with the same arguments computed.
AttendBackward attend_backward(const BatchAttention& batch, const BlockOptions& options);

}  // namespace vkgpt::model
