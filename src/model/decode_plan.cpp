#include "vkgpt/model/decode_plan.hpp"

#include <utility>

#include "vkgpt/model/gpt_params.hpp"
#include "vkgpt/model/train_step.hpp"
#include "vkgpt/ops/attention/attention.hpp"
#include "vkgpt/ops/attention/rope.hpp"
#include "vkgpt/ops/embedding.hpp"
#include "vkgpt/ops/matmul/matmul.hpp"
#include "vkgpt/ops/row_select.hpp"
#include "vkgpt/ops/softcap.hpp"

#include "model/gpt_block.hpp"
#include "model/linear.hpp"

namespace vkgpt::model {

namespace decode {

std::vector<std::int64_t> prefill_lengths(const GptConfig& config) {
  std::vector<std::int64_t> lengths;
  for (std::int64_t length = 32; length < config.block_size; length *= 4) lengths.push_back(length);
  lengths.push_back(config.block_size);
  return lengths;
}

std::string prefill_segment(std::int64_t length) {
  return "prefill_" + std::to_string(length);
}

std::string prefill_tokens(std::int64_t length) {
  return "prefill_tokens_" + std::to_string(length);
}

}  // namespace decode

namespace {

using plan::PlanBuilder;
using plan::Role;
using plan::Tensor;

struct Cache {
  Tensor k;  // (1, NKV, T, HS)
  Tensor v;  // (1, NKV, T, HS)
};

class DecodePlanWriter {
 public:
  DecodePlanWriter(PlanBuilder& builder, const GptParams& params)
      : builder_(builder),
        config_(params.config()),
        params_(builder, params,
                {builder.persistent(tensor::kParams, {params.arena_elements()}, Role::kParameters)}),
        options_{.config = config_,
                 .lora_scale = params.adaptation().lora_rank > 0 ? params.adaptation().lora_scale() : 0},
        logits_(builder.readback(decode::kLogits, {1, config_.padded_vocab_size()})) {
    const Shape shape{1, config_.kv_heads(), config_.block_size, config_.head_size()};
    for (std::int64_t layer = 0; layer < config_.n_layer; ++layer) {
      const std::string name = "h" + std::to_string(layer);
      caches_.push_back({builder.persistent(name + "/k_cache", shape, Role::kCache),
                         builder.persistent(name + "/v_cache", shape, Role::kCache)});
    }
  }

  void write_prefill(std::int64_t length) {
    builder_.begin_segment(decode::prefill_segment(length));
    const Tensor tokens = builder_.upload(decode::prefill_tokens(length), {1, length}, DType::kI32);
    const Tensor x = builder_.transient("embedding", {1, length, config_.n_embd});
    ops::embedding_forward(
        builder_,
        {.tokens = tokens, .wte = *params_.find("wte.weight"), .wpe = params_.find("wpe.weight"), .x = x});
    const Tensor y = write_blocks(x, [&](const Cache& cache, const Tensor& qkv, const Tensor& out) {
      rotate(qkv, false);
      const Tensor lse = builder_.transient("lse", {1, config_.n_head, length});
      ops::attention_forward(builder_, {.qkv = qkv,
                                        .out = out,
                                        .lse = lse,
                                        .n_head = config_.n_head,
                                        .n_kv_head = config_.kv_heads(),
                                        .window = config_.attention_window});
      ops::attention_cache_fill(builder_, {.qkv = qkv,
                                           .k_cache = cache.k,
                                           .v_cache = cache.v,
                                           .n_head = config_.n_head,
                                           .n_kv_head = config_.kv_heads()});
    });
    const Tensor last = builder_.transient("last", {1, config_.n_embd});
    ops::row_select_forward(builder_, y, last);
    write_head(last);
  }

  void write_decode() {
    builder_.begin_segment(decode::kSegment);
    const Tensor token = builder_.upload(decode::kToken, {1}, DType::kI32);
    const Tensor x = builder_.transient("embedding", {1, config_.n_embd});
    ops::embedding_decode(
        builder_,
        {.tokens = token, .wte = *params_.find("wte.weight"), .wpe = params_.find("wpe.weight"), .x = x});
    write_head(write_blocks(x, [&](const Cache& cache, const Tensor& qkv, const Tensor& out) {
      rotate(qkv, true);
      ops::attention_decode(builder_, {.qkv = qkv,
                                       .k_cache = cache.k,
                                       .v_cache = cache.v,
                                       .out = out,
                                       .n_head = config_.n_head,
                                       .n_kv_head = config_.kv_heads(),
                                       .window = config_.attention_window});
    }));
  }

 private:
  void rotate(const Tensor& qkv, bool decode) {
    if (!config_.has_rope()) return;
    ops::rope_forward(builder_, {.qkv = qkv,
                                 .table = ops::rope_table(builder_, config_.block_size, config_.head_size(),
                                                          rope_angles(config_)),
                                 .n_head = config_.n_head,
                                 .n_kv_head = config_.kv_heads(),
                                 .decode = decode});
  }

  /// All blocks and the last norm, over x (..., C); `attend(cache, qkv, out)` is the attention of a layer.
  template <typename AttendWithCache>
  Tensor write_blocks(const Tensor& x, AttendWithCache&& attend) {
    Stream stream{x, {}};
    for (std::int64_t layer = 0; layer < config_.n_layer; ++layer) {
      const auto scope = builder_.scope("h" + std::to_string(layer));
      const Attend with_cache = [&](PlanBuilder& builder, const Tensor& qkv) {
        const Tensor out = builder.transient("out", with_width(x, config_.attention_width()));
        attend(caches_[layer], qkv, out);
        return Attended{.out = out};
      };
      stream = block_forward(builder_, params_.block(layer), stream, with_cache, options_).out;
    }
    return stream_norm(builder_, params_.norm("ln_f"), stream, options_).y;
  }

  void write_head(const Tensor& y) {
    const bool capped = config_.logit_softcap > 0;
    const Tensor raw = capped ? builder_.transient("raw_logits", logits_.shape) : logits_;
    ops::linear_forward(builder_, {.x = y, .weight = *params_.head(), .y = raw});
    if (capped) ops::softcap_forward(builder_, raw, logits_, config_.logit_softcap);
  }

  PlanBuilder& builder_;
  const GptConfig& config_;
  ParamTensors params_;
  BlockOptions options_;
  Tensor logits_;  // (1, Vp)
  std::vector<Cache> caches_;
};

}  // namespace

plan::Plan build_decode_plan(const GptParams& params, const vk::Target& target) {
  PlanBuilder builder(target);
  DecodePlanWriter writer(builder, params);
  for (const std::int64_t length : decode::prefill_lengths(params.config())) writer.write_prefill(length);
  writer.write_decode();
  return std::move(builder).finish();
}

}  // namespace vkgpt::model
