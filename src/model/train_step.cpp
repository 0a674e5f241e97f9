#include "vkgpt/model/train_step.hpp"

#include "vkgpt/core/check.hpp"
#include "vkgpt/ops/embedding.hpp"

namespace vkgpt::model {

StepResults step_results(std::span<const float> readback) {
  VKGPT_CHECK(readback.size() == 8, "{} results of a step", readback.size());
  const float loss_scale = readback[4];
  const float spread = readback[6] == 0 ? 1 : readback[6];
  // On the device the clip scale also takes the loss scale back and makes up for what does not count.
  return {.loss = readback[0],
          .grad_norm = readback[1],
          .clip_scale = readback[2] * loss_scale / spread,
          .skipped = readback[3] != 0,
          .loss_scale = loss_scale,
          .counted = readback[5],
          .spread = spread};
}

std::vector<std::uint32_t> order_tokens(const GptConfig& config, DType activation_dtype,
                                        const vk::DeviceCaps& caps, std::span<const std::int32_t> tokens) {
  return ops::embedding_order(caps, tokens, config.n_embd, activation_dtype, config.padded_vocab_size());
}

std::vector<std::uint32_t> order_positions(const GptConfig& config, DType activation_dtype,
                                           const vk::DeviceCaps& caps,
                                           std::span<const std::int32_t> positions) {
  return ops::embedding_order(caps, positions, config.n_embd, activation_dtype, config.block_size);
}

bool orders_positions(const GptConfig& config) {
  return config.pos_encoding == "learned";
}

}  // namespace vkgpt::model
