#include "model/train_limits.hpp"

#include <algorithm>

#include "vkgpt/core/units.hpp"
#include "vkgpt/plan/limits.hpp"

namespace vkgpt::model {
namespace {

constexpr std::int64_t kMaxParameters = std::int64_t{1} << 36;
constexpr std::int64_t kMaxBatchTokens = (1 << 24) - 1;  // the loss counts them in f32
constexpr std::uint64_t kMaxBytes = std::uint64_t{1} << 40;

/// Elements of a token that every block keeps for the backward pass, at least.
std::int64_t kept_width(const GptConfig& config, GradCheckpoint policy) {
  if (policy == GradCheckpoint::kBlock) return config.n_embd;
  const std::int64_t mlp = 2 * config.n_embd + config.inner_width();
  return policy == GradCheckpoint::kAttention ? mlp : mlp + config.qkv_width();
}

}  // namespace

void check_train_size(const GptParams& params, const TrainPlanOptions& options, const vk::DeviceCaps& caps,
                      bool base_in_blocks) {
  const std::int64_t parameters = params.arena_elements();
  plan::check_fits(parameters <= kMaxParameters, "a model of {:.0f} billion parameters is not possible",
                   static_cast<double>(parameters) / 1e9);
  const GptConfig& config = params.config();
  const std::int64_t T = options.sequence_length == 0 ? config.block_size : options.sequence_length;
  const std::int64_t tokens = options.batch_size * T;
  plan::check_fits(tokens <= kMaxBatchTokens,
                   "batch_size {} of {} tokens each are {} tokens at once, at most {} are possible",
                   options.batch_size, T, tokens, kMaxBatchTokens);
  const std::int64_t layers = options.offload ? 1 : config.n_layer;
  const std::int64_t kept =
      tokens * layers * kept_width(config, options.grad_checkpoint) * dtype_size(options.activation_dtype);
  const std::int64_t trained = params.trainable_elements();
  // A base takes half a byte a number or more.
  const std::int64_t weights = base_in_blocks ? 4 * trained + (parameters - trained) / 2 : 4 * parameters;
  const auto needed = static_cast<std::uint64_t>(weights + 4 * trained + kept);
  const bool is_known = caps.is_cpu() && caps.heap_bytes > 0;
  const std::uint64_t limit = is_known ? std::min(kMaxBytes, caps.heap_bytes) : kMaxBytes;
  plan::check_fits(needed <= limit, "the train step needs more than {} of memory, {} has {}",
                   format_bytes(needed), is_known ? caps.name : "no device", format_bytes(limit));
}

}  // namespace vkgpt::model
