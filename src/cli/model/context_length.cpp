#include "cli/model/context_length.hpp"

#include <algorithm>
#include <cstddef>
#include <optional>

#include "vkgpt/core/blocks.hpp"
#include "vkgpt/core/error.hpp"
#include "vkgpt/core/log.hpp"
#include "vkgpt/model/held_weights.hpp"
#include "vkgpt/model/model_directory.hpp"
#include "vkgpt/ops/launch.hpp"

namespace vkgpt::cli {
namespace {

constexpr std::int64_t kStep = 64;  // tokens

std::int64_t weight_bytes(const model::GptParams& params, const model::DecodeOptions& options) {
  std::int64_t bytes = 0;
  for (const model::ParamSpec& spec : params.specs()) {
    const std::optional<BlockType> block = model::block_type_of(spec, options.blocks);
    if (!block) {
      bytes += spec.numel() * dtype_size(options.dtype);
      continue;
    }
    const BlockFormat& format = block_format(*block);
    const auto count = static_cast<std::size_t>(spec.numel());
    bytes += static_cast<std::int64_t>((format.quant_words(count) + format.scale_words(count)) *
                                       sizeof(std::uint32_t));
  }
  return bytes;
}

}  // namespace

std::int64_t fitting_context(const model::GptParams& params, const model::DecodeOptions& options,
                             const vk::DeviceCaps& caps) {
  const model::GptConfig& config = params.config();
  const std::int64_t layer_bytes = options.slots * config.kv_heads() * config.head_size() *
                                   dtype_size(model::decode::cache_dtype(options, caps));
  std::int64_t most = ops::max_binding_bytes(caps) / layer_bytes;
  if (const std::uint64_t heap = caps.heap_budget_bytes > 0 ? caps.heap_budget_bytes : caps.heap_bytes;
      heap > 0) {
    const std::int64_t left = static_cast<std::int64_t>(heap) - weight_bytes(params, options);
    most = std::min(most, left / 2 / (2 * config.n_layer * layer_bytes));
  }
  return std::min(config.block_size, std::max(most / kStep * kStep, kStep));
}

model::GptParams with_context(const model::GptParams& params, std::int64_t block_size, std::int64_t needed,
                              const model::DecodeOptions& options, const vk::DeviceCaps& caps) {
  const model::GptConfig& config = params.config();
  if (block_size > config.block_size) {
    fail_usage("--block_size {}: the model's context is {}", block_size, config.block_size);
  }
  if (block_size == 0) {
    // Angles that are stretched by the context's length stay those of the model's.
    const bool follows = config.rope_scaling == "dynamic";
    const std::int64_t wished =
        follows ? config.block_size : std::min(config.block_size, (needed + kStep - 1) / kStep * kStep);
    const std::int64_t fitting = fitting_context(params, options, caps);
    block_size = std::min(wished, fitting);
    if (fitting < wished) {
      log_info(
          "a context of {} tokens, not the model's {}: keys and values of more have no room beside the "
          "weights "
          "(--block_size)",
          block_size, config.block_size);
    }
  }
  if (block_size == config.block_size) return params;
  return model::GptParams(model::with_shorter_context(config, block_size));
}

}  // namespace vkgpt::cli
